// Package client starts jobs, waits for them, watches, cancels, and moves large values; made from the
// proto files alone.
//
// Wait inline first, then watch, with WaitJobs at growing intervals beside it: a stream may be slow to
// break, and the poll is what is sure. Repeat a start only with the same request id.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	jobsv1 "example.com/you/gen/offstage/jobs/v1"
	storagev1 "example.com/you/gen/offstage/storage/v1"
	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	JSON = "application/json"
	CBOR = "application/cbor"

	inlineBytesMax = 64 << 10
	chunkBytes     = 256 << 10
	callTimeout    = 10 * time.Second
	valueTimeout   = time.Minute
	inlineWait     = 800 * time.Millisecond
	pollFirst      = time.Second
	pollFactor     = 1.4
	pollMax        = 15 * time.Second
)

// Refused is what a service says no with: the reason to branch on, its facts, the fields that are
// wrong, and how long to wait before a repeat.
type Refused struct {
	Code       string
	Reason     string
	Metadata   map[string]string
	Violations map[string]string
	RetryDelay time.Duration
	err        error
}

func (r *Refused) Error() string { return r.err.Error() }
func (r *Refused) Unwrap() error { return r.err }

func refusal(err error) error {
	if err == nil {
		return nil
	}
	told := status.Convert(err)
	refused := &Refused{Code: told.Code().String(), Violations: map[string]string{}, err: err}
	for _, detail := range told.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			refused.Reason, refused.Metadata = detail.Reason, detail.Metadata
		case *errdetails.BadRequest:
			for _, violation := range detail.FieldViolations {
				refused.Violations[violation.Field] = violation.Description
			}
		case *errdetails.RetryInfo:
			refused.RetryDelay = detail.RetryDelay.AsDuration()
		}
	}
	return refused
}

// Failed is a job that has ended without a result.
type Failed struct{ Completion *jobsv1.Completion }

func (f *Failed) Error() string {
	if brief := f.Completion.GetError().GetBrief(); brief != "" {
		return brief
	}
	return f.Completion.State.String()
}

// Config says who calls where. User is for development mode, Token for all others.
type Config struct{ Scheduler, Storage, Namespace, User, Token string }

// Client may be used by many goroutines.
type Client struct {
	config     Config
	jobs       jobsv1.JobServiceClient
	storage    storagev1.StorageServiceClient
	connection []*grpc.ClientConn
}

// New dials when the first call is made.
func New(config Config) (*Client, error) {
	c := &Client{config: config}
	for _, target := range []string{config.Scheduler, config.Storage} {
		dialed, err := grpc.NewClient(target,
			grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return nil, err
		}
		c.connection = append(c.connection, dialed)
	}
	c.jobs = jobsv1.NewJobServiceClient(c.connection[0])
	c.storage = storagev1.NewStorageServiceClient(c.connection[1])
	return c, nil
}

// Close drops the connections.
func (c *Client) Close() {
	for _, each := range c.connection {
		_ = each.Close()
	}
}

// Start answers with the job as it stands: with its completion where it ended within `wait`.
func (c *Client) Start(
	ctx context.Context, method string, params any, codec string, wait time.Duration,
) (*jobsv1.StartedJob, error) {
	payload, isOwned, err := c.payload(ctx, params, codec)
	if err != nil {
		return nil, err
	}
	ctx, done := c.calling(ctx, callTimeout+wait)
	defer done()
	answer, err := c.jobs.StartJob(ctx, &jobsv1.StartJobRequest{
		Namespace: c.config.Namespace,
		Job: &jobsv1.JobSpec{
			Method: method, Params: payload, ParamsOwned: isOwned, RequestId: uuid.NewString(),
		},
		InlineWait: durationpb.New(wait),
	})
	return answer.GetJob(), refusal(err)
}

// Run starts a job and decodes its result.
func (c *Client) Run(ctx context.Context, method string, params any, codec string, result any) error {
	job, err := c.Start(ctx, method, params, codec, inlineWait)
	if err != nil {
		return err
	}
	completion := job.Completion
	if completion == nil {
		if completion, err = c.Wait(ctx, job.JobId); err != nil {
			return err
		}
	}
	return c.Value(ctx, completion, result)
}

// Wait watches, with a poll beside it whose pauses grow.
func (c *Client) Wait(ctx context.Context, jobID string) (*jobsv1.Completion, error) {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	heard := make(chan *jobsv1.Completion, 1)
	go func() {
		// The poll tells what is wrong, and goes on where nothing is.
		_ = c.Watch(watching, jobID, func(event *jobsv1.JobEvent) {
			if completion := event.GetCompletion(); completion != nil {
				heard <- completion
			}
		})
	}()
	for pause := pollFirst; ; pause = min(pollMax, time.Duration(float64(pause)*pollFactor)) {
		select {
		case completion := <-heard:
			return completion, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
		if completion, err := c.Look(ctx, jobID, 0); completion != nil || err != nil {
			return completion, err
		}
	}
}

// Look is the end of a job, if it comes within that time.
func (c *Client) Look(
	ctx context.Context, jobID string, within time.Duration,
) (*jobsv1.Completion, error) {
	ctx, done := c.calling(ctx, callTimeout+within)
	defer done()
	answer, err := c.jobs.WaitJobs(ctx, &jobsv1.WaitJobsRequest{
		Namespace: c.config.Namespace, JobIds: []string{jobID}, Timeout: durationpb.New(within),
	})
	if err != nil {
		return nil, refusal(err)
	}
	return answer.Statuses[0].Completion, nil
}

// Watch tells of states, progress and messages as they come; the completion is the last.
func (c *Client) Watch(
	ctx context.Context, jobID string, on func(*jobsv1.JobEvent),
) error {
	ctx, done := context.WithCancel(c.bearing(ctx))
	defer done()
	stream, err := c.jobs.WatchJobs(ctx)
	if err != nil {
		return refusal(err)
	}
	request := &jobsv1.WatchJobsRequest{
		Namespace: c.config.Namespace, Add: []*jobsv1.WatchTarget{{JobId: jobID}},
	}
	if err := stream.Send(request); err != nil && !errors.Is(err, io.EOF) {
		return refusal(err)
	}
	for {
		answer, err := stream.Recv()
		if err != nil {
			return refusal(err)
		}
		for _, event := range answer.Events {
			on(event)
			if event.GetCompletion() != nil {
				return nil
			}
		}
	}
}

// Cancel asks for it; Wait tells when the job has ended, and its completion how.
func (c *Client) Cancel(ctx context.Context, jobID, reason string) error {
	ctx, done := c.calling(ctx, callTimeout)
	defer done()
	_, err := c.jobs.CancelJob(ctx, &jobsv1.CancelJobRequest{
		Namespace: c.config.Namespace, JobId: jobID, Reason: reason,
	})
	return refusal(err)
}

// Value decodes the result, read from temp storage where it is large.
func (c *Client) Value(ctx context.Context, completion *jobsv1.Completion, into any) error {
	if completion.State != jobsv1.JobState_JOB_STATE_SUCCEEDED {
		return &Failed{completion}
	}
	payload := completion.Result
	bytes := payload.GetInline()
	if payload.GetAddress() != "" {
		var err error
		if bytes, err = c.read(ctx, payload.GetAddress(), payload.Sha256); err != nil {
			return err
		}
	}
	if len(bytes) == 0 || into == nil {
		return nil
	}
	switch payload.ContentType {
	case "", JSON:
		return json.Unmarshal(bytes, into)
	case CBOR:
		return cbor.Unmarshal(bytes, into)
	}
	return fmt.Errorf("the result is %s", payload.ContentType)
}

// payload tells too whether the job is to own it, as what was put for it alone.
func (c *Client) payload(
	ctx context.Context, value any, codec string,
) (payload *jobsv1.Payload, isOwned bool, err error) {
	if value == nil {
		return &jobsv1.Payload{}, false, nil
	}
	encode := json.Marshal
	if codec == CBOR {
		encode = cbor.Marshal
	}
	bytes, err := encode(value)
	if err != nil {
		return nil, false, err
	}
	if len(bytes) <= inlineBytesMax {
		inline := &jobsv1.Payload_Inline{Inline: bytes}
		return &jobsv1.Payload{Source: inline, ContentType: codec}, false, nil
	}
	stored, err := c.put(ctx, bytes, codec)
	if err != nil {
		return nil, false, err
	}
	address := &jobsv1.Payload_Address{Address: stored.Address}
	return &jobsv1.Payload{Source: address, Sha256: stored.Sha256, ContentType: codec}, true, nil
}

func (c *Client) put(
	ctx context.Context, value []byte, contentType string,
) (*storagev1.Value, error) {
	ctx, done := c.calling(ctx, valueTimeout)
	defer done()
	stream, err := c.storage.PutValue(ctx)
	if err != nil {
		return nil, refusal(err)
	}
	size := int64(len(value))
	header := &storagev1.PutValueHeader{
		Namespace: c.config.Namespace, ContentType: contentType, Size: &size, ForJob: true,
		RequestId: uuid.NewString(),
	}
	err = stream.Send(&storagev1.PutValueRequest{
		Part: &storagev1.PutValueRequest_Header{Header: header},
	})
	for rest := value; err == nil && len(rest) > 0; {
		chunk := rest[:min(chunkBytes, len(rest))]
		rest = rest[len(chunk):]
		err = stream.Send(&storagev1.PutValueRequest{
			Part: &storagev1.PutValueRequest_Chunk{Chunk: chunk},
		})
	}
	// Why a send failed is told by the answer.
	answer, err := stream.CloseAndRecv()
	return answer.GetValue(), refusal(err)
}

func (c *Client) read(ctx context.Context, address string, sha256 []byte) ([]byte, error) {
	ctx, done := c.calling(ctx, valueTimeout)
	defer done()
	request := &storagev1.GetValueRequest{Address: address, IfSha256: sha256}
	stream, err := c.storage.GetValue(ctx, request)
	if err != nil {
		return nil, refusal(err)
	}
	var value []byte
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return value, nil
		}
		if err != nil {
			return nil, refusal(err)
		}
		value = append(value, part.GetChunk()...)
	}
}

// calling gives a call a deadline of its own: without one gRPC waits for ever when a network falls
// silent.
func (c *Client) calling(
	ctx context.Context, longest time.Duration,
) (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.bearing(ctx), longest)
}

func (c *Client) bearing(ctx context.Context) context.Context {
	switch {
	case c.config.Token != "":
		return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+c.config.Token)
	case c.config.User != "":
		return metadata.AppendToOutgoingContext(ctx, "offstage-user", c.config.User)
	}
	return ctx
}
