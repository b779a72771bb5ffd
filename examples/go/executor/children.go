package executor

import (
	"context"
	"encoding/json"
	"time"

	jobsv1 "example.com/you/gen/offstage/jobs/v1"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	childWait  = 15 * time.Second
	childPause = time.Second
)

// Run is the result of a child job, as JSON. While the handler waits for it, its slot is free for
// another.
func (j *Job) Run(ctx context.Context, method string, params any) ([]byte, error) {
	a := j.attempt
	encoded, err := json.Marshal(params)
	if err != nil {
		return nil, err
	}
	started, err := again(ctx, a.storage.token, a.executor.jobs.StartJob, &jobsv1.StartJobRequest{
		Namespace: a.assignment.Namespace,
		Job: &jobsv1.JobSpec{
			Method: method, ParentJobId: a.jobID, RequestId: uuid.NewString(),
			Params: &jobsv1.Payload{
				Source: &jobsv1.Payload_Inline{Inline: encoded}, ContentType: jsonType,
			},
		},
	})
	if err != nil {
		return nil, err
	}
	a.wait(1)
	defer a.wait(-1)
	for {
		answer, err := again(ctx, a.storage.token, a.executor.jobs.WaitJobs, &jobsv1.WaitJobsRequest{
			Namespace: a.assignment.Namespace, JobIds: []string{started.Job.JobId},
			Timeout: durationpb.New(childWait),
		})
		if err != nil {
			return nil, err
		}
		if completion := answer.Statuses[0].Completion; completion != nil {
			return a.childResult(ctx, completion)
		}
	}
}

func (a *attempt) childResult(ctx context.Context, completion *jobsv1.Completion) ([]byte, error) {
	if completion.State != jobsv1.JobState_JOB_STATE_SUCCEEDED {
		failure := &Failure{Brief: "A child job was canceled.", Reason: "CHILD_CANCELED"}
		if told := completion.Error; told != nil {
			failure = &Failure{Brief: told.Brief, Reason: told.Reason, Retryable: told.Retryable}
		}
		return nil, failure
	}
	if address := completion.Result.GetAddress(); address != "" {
		return a.storage.read(ctx, address)
	}
	return completion.Result.GetInline(), nil
}

// again calls with the token of the attempt, and again while the scheduler is away.
func again[Q, A any](
	ctx context.Context, token *attemptToken,
	call func(context.Context, *Q, ...grpc.CallOption) (*A, error), request *Q,
) (answer *A, err error) {
	for {
		err = token.allowed(ctx, func(ctx context.Context) error {
			ctx, done := context.WithTimeout(ctx, childWait+callTimeout)
			defer done()
			answer, err = call(ctx, request)
			return err
		})
		code := status.Code(err)
		if ctx.Err() != nil || code != codes.Unavailable && code != codes.DeadlineExceeded {
			return answer, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(childPause):
		}
	}
}

// wait counts the children that the handler waits for. With the first it gives its slot back.
func (a *attempt) wait(more int) {
	a.executor.mu.Lock()
	defer a.executor.mu.Unlock()
	wasParked := a.waits > 0
	a.waits += more
	isParked := a.waits > 0
	if wasParked == isParked || a.isOver {
		return
	}
	if isParked && a.silence != nil {
		a.silence.Stop() // Such a wait is no silence.
	} else if !isParked {
		a.listen()
	}
	a.executor.outbox.park(a.key, isParked)
	a.executor.wake()
}
