package executor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	executorv1 "example.com/you/gen/offstage/executor/v1"
	jobsv1 "example.com/you/gen/offstage/jobs/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	ownGrace      = 5 * time.Second
	progressPause = 100 * time.Millisecond
	notHeld       = "ATTEMPT_NOT_HELD"
)

// Failure fails an attempt, with what its caller is told. A handler may return any other error too;
// those may be retried.
type Failure struct {
	Brief     string
	Reason    string
	Retryable bool
}

func (f *Failure) Error() string { return f.Brief }

// stop is why an attempt is stopped: "canceled", "fenced", "draining", or the reason of the deadline
// it has passed.
type stop struct {
	kind      string
	retryable bool
	reason    string
}

var stopCodes = map[string]string{
	"canceled": "JOB_CANCELED", "draining": "EXECUTOR_DRAINING", "fenced": "ATTEMPT_LOST",
}

// Stopped is the cause of a handler's context once the handler is to stop, where errors.As finds it.
type Stopped struct {
	// Code is JOB_CANCELED, EXECUTOR_DRAINING, ATTEMPT_LOST, or that of a deadline.
	Code string
	// Reason is what whoever canceled the job has said.
	Reason string
}

func (s *Stopped) Error() string { return "the attempt is stopped: " + s.Code }
func (s *Stopped) Unwrap() error { return context.Canceled }

func (s stop) cause() *Stopped {
	code, isNamed := stopCodes[s.kind]
	if !isNamed {
		code = s.kind
	}
	return &Stopped{Code: code, Reason: s.reason}
}

// attempt ends once: with a result, handed back, or forgotten. What is not of its own goroutine is
// guarded by the lock of its executor.
type attempt struct {
	key
	executor   *Executor
	assignment *executorv1.Assignment
	storage    *storage
	ctx        context.Context
	cancel     context.CancelCauseFunc

	stop     *stop
	isCalled bool
	isOver   bool // Its end is told, though the handler may run on.
	timers   []*time.Timer
	silence  *time.Timer
	newest   *executorv1.ProgressReport // Of progress, not told yet.
	told     *time.Timer
	revision int32
	messages int32
	waits    int // How many children it waits for; it holds no slot meanwhile.

	additional any // Of the goroutine of the handler.
}

// begin starts the attempt; the lock is held.
func (a *attempt) begin() {
	a.ctx, a.cancel = context.WithCancelCause(context.Background())
	given := a.assignment
	if given.AttemptDeadline != nil {
		a.after(given.AttemptDeadline.AsDuration(), stop{kind: "ATTEMPT_DEADLINE_EXCEEDED", retryable: true})
	}
	if given.TotalDeadline != nil {
		a.after(given.TotalDeadline.AsDuration(), stop{kind: "TOTAL_DEADLINE_EXCEEDED"})
	}
	a.listen()
	go a.run()
}

func (a *attempt) run() {
	result, err := a.steps()
	a.executor.mu.Lock()
	defer a.executor.mu.Unlock()
	defer a.executor.free(a)
	defer a.cancel(nil)
	if err == nil {
		a.end(result)
		return
	}
	if reasonOf(err) == notHeld {
		a.stop = &stop{kind: "fenced"}
	}
	if a.stop != nil && (!a.isCalled || a.stop.kind == "fenced" || isStop(err)) {
		a.end(a.stopped("stopped when asked to"))
		return
	}
	a.end(failed(err))
}

func isStop(err error) bool {
	return errors.Is(err, context.Canceled) || status.Code(err) == codes.Canceled
}

func (a *attempt) steps() (*executorv1.AttemptResult, error) {
	method, isKnown := a.executor.methods[a.assignment.Method]
	if !isKnown {
		brief := fmt.Sprintf("This executor has no method %s.", a.assignment.Method)
		return nil, &Failure{Brief: brief, Reason: "METHOD_UNKNOWN"}
	}
	looked := make(chan error, 1)
	go func() {
		given := a.assignment
		looked <- a.storage.look(a.ctx, given.Scope, given.ResultAddress, given.AdditionalResultAddress)
	}()
	params, err := a.params()
	if err == nil {
		err = <-looked
	}
	if err == nil {
		err = method.check(params)
	}
	if err == nil {
		err = a.call()
	}
	if err != nil {
		return nil, err
	}
	value, err := a.handle(method, params)
	if err != nil {
		return nil, err
	}
	return a.succeeded(value)
}

func (a *attempt) succeeded(value any) (*executorv1.AttemptResult, error) {
	payload, err := a.place(value, a.assignment.ResultAddress)
	if err != nil {
		return nil, err
	}
	outcome := &executorv1.AttemptResult_Succeeded{Succeeded: payload}
	result := &executorv1.AttemptResult{Outcome: outcome}
	if a.assignment.WantAdditionalResult && a.additional != nil {
		address := a.assignment.AdditionalResultAddress
		result.AdditionalResult, err = a.place(a.additional, address)
	}
	return result, err
}

func (a *attempt) params() ([]byte, error) {
	params := a.assignment.Params
	if address := params.GetAddress(); address != "" {
		return a.storage.read(a.ctx, address)
	}
	if len(params.GetInline()) == 0 {
		return []byte("{}"), nil
	}
	return params.GetInline(), nil
}

// call marks the moment from which the handler counts as called.
func (a *attempt) call() error {
	a.executor.mu.Lock()
	defer a.executor.mu.Unlock()
	if a.stop != nil {
		return context.Canceled
	}
	a.isCalled = true
	return nil
}

func (a *attempt) handle(method Method, params []byte) (value any, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("the handler panicked: %v\n%s", panicked, debug.Stack())
		}
	}()
	return method.Run(a.ctx, &Job{attempt: a}, params)
}

// place puts the result where it belongs; that goes on though the attempt is told to stop.
func (a *attempt) place(value any, address string) (*jobsv1.Payload, error) {
	if value == nil && address == "" {
		return &jobsv1.Payload{}, nil
	}
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, &Failure{Brief: err.Error(), Reason: "RESULT_NOT_SERIALIZABLE"}
	}
	result := bytes.TrimSuffix(encoded.Bytes(), []byte("\n"))
	if len(result) <= inlineBytesMax && address == "" {
		inline := &jobsv1.Payload_Inline{Inline: result}
		return &jobsv1.Payload{Source: inline, ContentType: jsonType}, nil
	}
	ctx := context.WithoutCancel(a.ctx)
	return a.storage.put(ctx, result, a.assignment.Namespace, address)
}

// halt tells the attempt to stop; the lock is held. The first cause stands, but for `fenced`, which
// overrides all others.
func (a *attempt) halt(why stop, grace time.Duration) {
	if a.isOver || (a.stop != nil && why.kind != "fenced") {
		return
	}
	isFirst := a.stop == nil
	a.stop = &why
	if !isFirst {
		return
	}
	a.timers = append(a.timers, time.AfterFunc(grace, a.giveUp))
	a.cancel(why.cause())
}

// giveUp tells the end of a handler that does not listen. Its slot is not free until it returns.
func (a *attempt) giveUp() {
	a.executor.mu.Lock()
	defer a.executor.mu.Unlock()
	if !a.isOver {
		a.end(a.stopped("given up, for it does not listen"))
	}
}

// stopped is what is told of an attempt that has let itself be stopped, or was given up.
func (a *attempt) stopped(how string) *executorv1.AttemptResult {
	switch a.stop.kind {
	case "canceled":
		return &executorv1.AttemptResult{
			Outcome:      &executorv1.AttemptResult_Canceled{Canceled: how},
			NeverStarted: !a.isCalled,
		}
	case "fenced", "draining":
		return nil
	}
	brief := "The attempt was " + how + ": it is past its deadline."
	return failed(&Failure{Brief: brief, Reason: a.stop.kind, Retryable: a.stop.retryable})
}

// end tells the executor; the lock is held. No result: nobody wants one.
func (a *attempt) end(result *executorv1.AttemptResult) {
	if a.isOver {
		return
	}
	a.tell()
	a.isOver = true
	for _, timer := range append(a.timers, a.silence, a.told) {
		if timer != nil {
			timer.Stop()
		}
	}
	isFenced := a.stop != nil && a.stop.kind == "fenced"
	switch {
	case isFenced:
		a.executor.outbox.forget(a.key)
	case result == nil:
		a.executor.outbox.handBack(a.key)
	default:
		result.JobId, result.Attempt = a.jobID, a.key.attempt
		a.executor.outbox.end(a.key, result)
	}
	a.executor.wake()
}

func (a *attempt) after(wait time.Duration, why stop) {
	a.timers = append(a.timers, time.AfterFunc(wait, func() {
		a.executor.mu.Lock()
		defer a.executor.mu.Unlock()
		a.halt(why, ownGrace)
	}))
}

// listen counts the silence of the handler from now; the lock is held.
func (a *attempt) listen() {
	if a.assignment.HeartbeatDeadline == nil {
		return
	}
	if a.silence != nil {
		a.silence.Stop()
	}
	a.silence = time.AfterFunc(a.assignment.HeartbeatDeadline.AsDuration(), func() {
		a.executor.mu.Lock()
		defer a.executor.mu.Unlock()
		if a.isCalled {
			a.halt(stop{kind: "HEARTBEAT_DEADLINE_EXCEEDED", retryable: true}, ownGrace)
			return
		}
		// It has nothing to say yet: the executor speaks for it.
		a.report(func(r *reports) { r.addProgress(a.progressReport()) })
	})
}

// report notes what the handler says; the lock is held.
func (a *attempt) report(add func(*reports)) {
	if a.isOver {
		return
	}
	a.listen()
	a.executor.outbox.report(a.key, add)
	a.executor.wake()
}

// progressed notes how far the handler says it is; the lock is held.
func (a *attempt) progressed(report *executorv1.ProgressReport) {
	if a.isOver {
		return
	}
	a.listen()
	a.newest = report
	if a.told == nil {
		a.tell()
	}
}

// tell says the newest progress, for only that matters, and not all the time; the lock is held.
func (a *attempt) tell() {
	if a.newest == nil {
		return
	}
	newest := a.newest
	a.newest = nil
	a.report(func(r *reports) { r.addProgress(newest) })
	a.told = time.AfterFunc(progressPause, func() {
		a.executor.mu.Lock()
		defer a.executor.mu.Unlock()
		a.told = nil
		if !a.isOver {
			a.tell()
		}
	})
}

func (a *attempt) progressReport() *executorv1.ProgressReport {
	return &executorv1.ProgressReport{JobId: a.jobID, Attempt: a.key.attempt}
}

func failed(err error) *executorv1.AttemptResult {
	told := &jobsv1.JobError{
		Brief:     err.Error(),
		Detail:    fmt.Sprintf("%T: %v", err, err),
		Reason:    fmt.Sprintf("%T", err),
		Retryable: true,
	}
	var failure *Failure
	if errors.As(err, &failure) {
		told.Retryable = failure.Retryable
		if failure.Reason != "" {
			told.Reason = failure.Reason
		}
	} else if reason := reasonOf(err); reason != "" {
		told.Brief, told.Reason = status.Convert(err).Message(), reason
	}
	told.Brief, told.Detail, told.Reason = plain(told.Brief, 1_000), plain(told.Detail, 30_000), plain(told.Reason, 200)
	outcome := &executorv1.AttemptResult_Failed{Failed: told}
	return &executorv1.AttemptResult{Outcome: outcome}
}

// plain is the beginning of a text with U+FFFD for what is no UTF-8, which protobuf does not take: what
// is told of a job must not fail it.
func plain(text string, bytesMax int) string {
	if len(text) > bytesMax {
		end := bytesMax
		for end > 0 && !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end]
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
