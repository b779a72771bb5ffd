package executor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	executorv1 "example.com/you/gen/offstage/executor/v1"
	jobsv1 "example.com/you/gen/offstage/jobs/v1"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// textMax is more than any text of a report may have: the scheduler cuts it.
const textMax = 64 << 10

// Method is what a handler is announced as.
type Method struct {
	Name        string
	Description string
	// ParamsSchema is JSON Schema, which the scheduler checks starts by; empty for none.
	ParamsSchema string
	// Run is given the parameters as JSON. What it returns is sent as JSON; nil is no result. When its
	// context is done it is to return, with the error of that.
	Run func(ctx context.Context, job *Job, params []byte) (any, error)

	schema *jsonschema.Schema
}

// compiled reads the schema, once.
func (m Method) compiled() (Method, error) {
	if m.ParamsSchema == "" {
		return m, nil
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(m.ParamsSchema))
	if err != nil {
		return m, fmt.Errorf("the schema of %s: %w", m.Name, err)
	}
	compiler := jsonschema.NewCompiler()
	if err = compiler.AddResource("params", document); err == nil {
		m.schema, err = compiler.Compile("params")
	}
	return m, err
}

// check is done before the handler runs: the scheduler has checked only what it can.
func (m Method) check(params []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(params))
	if err == nil && m.schema != nil {
		err = m.schema.Validate(value)
	}
	if err == nil {
		return nil
	}
	return &Failure{Brief: "The parameters do not fit: " + err.Error(), Reason: "PARAMS_INVALID"}
}

// Job is what a handler has of its job.
type Job struct{ attempt *attempt }

func (j *Job) ID() string     { return j.attempt.jobID }
func (j *Job) Attempt() int32 { return j.attempt.key.attempt }
func (j *Job) Owner() string  { return j.attempt.assignment.Owner }

// ResultAddress and AdditionalResultAddress are where the caller has reserved places for results; empty where not.
func (j *Job) ResultAddress() string           { return j.attempt.assignment.ResultAddress }
func (j *Job) AdditionalResultAddress() string { return j.attempt.assignment.AdditionalResultAddress }

// WantsAdditionalResult tells whether the caller has asked for one.
func (j *Job) WantsAdditionalResult() bool { return j.attempt.assignment.WantAdditionalResult }

// SetAdditionalResult has a value told beside the result, where one is wanted. For the handler's own goroutine.
func (j *Job) SetAdditionalResult(value any) { j.attempt.additional = value }

// LastHeartbeat decodes what an earlier attempt reported last; false where that is nothing.
func (j *Job) LastHeartbeat(into any) bool {
	data := j.attempt.assignment.HeartbeatData.GetInline()
	return len(data) > 0 && json.Unmarshal(data, into) == nil
}

// Progress tells how far the job has come, 0 to 100.
func (j *Job) Progress(percent float64, text string) {
	a := j.attempt
	a.executor.mu.Lock()
	defer a.executor.mu.Unlock()
	a.revision++
	report := a.progressReport()
	report.Progress = &jobsv1.Progress{Percent: percent, Text: plain(text, textMax), Revision: a.revision}
	a.progressed(report)
}

// Message adds a line to the job's list of messages.
func (j *Job) Message(text string) {
	j.say(func(a *attempt) func(*reports) {
		a.messages++
		report := &executorv1.MessageReport{
			JobId: a.jobID, Attempt: a.key.attempt, Number: a.messages, Text: plain(text, textMax),
			Severity: jobsv1.MessageSeverity_MESSAGE_SEVERITY_INFO,
		}
		return func(r *reports) { r.addMessage(report) }
	})
}

// Heartbeat is a sign of life; data that is not nil is what the next attempt has.
func (j *Job) Heartbeat(data any) error {
	encoded, err := json.Marshal(data)
	if err != nil {
		return err
	}
	j.say(func(a *attempt) func(*reports) {
		report := a.progressReport()
		if data != nil {
			inline := &jobsv1.Payload_Inline{Inline: encoded}
			report.HeartbeatData = &jobsv1.Payload{Source: inline}
		}
		return func(r *reports) { r.addProgress(report) }
	})
	return nil
}

func (j *Job) say(what func(*attempt) func(*reports)) {
	j.attempt.executor.mu.Lock()
	defer j.attempt.executor.mu.Unlock()
	j.attempt.report(what(j.attempt))
}
