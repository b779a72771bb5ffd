package executor

import (
	"maps"

	executorv1 "example.com/you/gen/offstage/executor/v1"
	"google.golang.org/protobuf/proto"
)

const (
	frameBytesMax   = 1 << 20
	messagesKeptMax = 1_000
)

// key names an attempt.
type key struct {
	jobID   string
	attempt int32
}

type named interface {
	GetJobId() string
	GetAttempt() int32
}

func keyOf(ref named) key { return key{ref.GetJobId(), ref.GetAttempt()} }

func (k key) ref() *executorv1.AttemptRef {
	return &executorv1.AttemptRef{JobId: k.jobID, Attempt: k.attempt}
}

// reports are what an attempt has to say: all messages, but the newest progress and data alone.
type reports struct {
	messages []*executorv1.MessageReport
	progress *executorv1.ProgressReport
	data     *executorv1.ProgressReport
}

func (r *reports) addProgress(report *executorv1.ProgressReport) {
	switch {
	case report.Progress != nil:
		r.progress = report
	case report.HeartbeatData != nil || r.data == nil:
		r.data = report
	}
}

func (r *reports) addMessage(report *executorv1.MessageReport) {
	r.messages = append(r.messages, report)
	if len(r.messages) > messagesKeptMax {
		r.messages = r.messages[1:]
	}
}

// outbox is what is to be said on the present stream, and what is kept for the next: of each
// attempt the results until they are acknowledged, and the reports until then.
type outbox struct {
	said    map[key]*reports
	results map[key]*executorv1.AttemptResult

	unsentReports map[key]*reports
	unsentResults map[key]*executorv1.AttemptResult
	handedBack    []key
	// Who waits for children, and who has gone on since that was said.
	parked        map[key]bool
	unsentWaiting map[key]bool
}

func newOutbox() *outbox {
	return &outbox{
		said:          map[key]*reports{},
		results:       map[key]*executorv1.AttemptResult{},
		unsentReports: map[key]*reports{},
		unsentResults: map[key]*executorv1.AttemptResult{},
		parked:        map[key]bool{},
		unsentWaiting: map[key]bool{},
	}
}

// report has add note a report both for this stream and for the next.
func (o *outbox) report(k key, add func(*reports)) {
	for _, of := range []map[key]*reports{o.said, o.unsentReports} {
		if of[k] == nil {
			of[k] = &reports{}
		}
		add(of[k])
	}
}

func (o *outbox) park(k key, isParked bool) {
	o.unsentWaiting[k] = isParked
	if isParked {
		o.parked[k] = true
	} else {
		delete(o.parked, k)
	}
}

func (o *outbox) end(k key, result *executorv1.AttemptResult) {
	o.results[k], o.unsentResults[k] = result, result
	delete(o.parked, k)
}

func (o *outbox) handBack(k key) {
	o.forget(k)
	o.handedBack = append(o.handedBack, k)
}

func (o *outbox) forget(k key) {
	delete(o.said, k)
	delete(o.results, k)
	delete(o.unsentReports, k)
	delete(o.unsentResults, k)
	delete(o.parked, k)
	delete(o.unsentWaiting, k)
}

func (o *outbox) isEmpty() bool {
	return len(o.results)+len(o.unsentReports)+len(o.handedBack) == 0
}

// rewind has everything that is kept said again. What was handed back is not kept: an attempt that
// is missing from the next hello is requeued all the same.
func (o *outbox) rewind() {
	o.handedBack = nil
	o.unsentReports = map[key]*reports{}
	o.unsentResults = map[key]*executorv1.AttemptResult{}
	o.unsentWaiting = maps.Clone(o.parked)
	for k, said := range o.said {
		again := *said
		o.unsentReports[k] = &again
	}
	for k, result := range o.results {
		o.unsentResults[k] = result
	}
}

// fill adds as much as fits, of each attempt its reports before its result; it tells whether there
// is more.
func (o *outbox) fill(frame *executorv1.AttachRequest) bool {
	for _, k := range o.handedBack {
		frame.HandedBack = append(frame.HandedBack, k.ref())
	}
	o.handedBack = nil
	for k, isParked := range o.unsentWaiting {
		frame.Waiting = append(frame.Waiting, &executorv1.WaitingReport{
			JobId: k.jobID, Attempt: k.attempt, Waiting: isParked,
		})
	}
	o.unsentWaiting = map[key]bool{}
	for k, said := range o.unsentReports {
		if proto.Size(frame) > frameBytesMax {
			return true
		}
		for _, report := range []*executorv1.ProgressReport{said.progress, said.data} {
			if report != nil {
				frame.Progress = append(frame.Progress, report)
			}
		}
		frame.Messages = append(frame.Messages, said.messages...)
		delete(o.unsentReports, k)
	}
	for k, result := range o.unsentResults {
		if proto.Size(frame) > frameBytesMax {
			return true
		}
		frame.Results = append(frame.Results, result)
		delete(o.unsentResults, k)
	}
	return false
}
