package executor

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	executorv1 "example.com/you/gen/offstage/executor/v1"
	jobsv1 "example.com/you/gen/offstage/jobs/v1"
	storagev1 "example.com/you/gen/offstage/storage/v1"
	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	inlineBytesMax = 64 << 10
	chunkBytes     = 256 << 10
	jsonType       = "application/json"
	callTimeout    = time.Minute
)

// reasonOf is the reason of a refusal, which is what programs branch on; empty where none came.
func reasonOf(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.Reason
		}
	}
	return ""
}

// attemptToken is by what the calls of an attempt say for whom they act.
type attemptToken struct {
	issuer  executorv1.ExecutorServiceClient
	own     string
	owner   string
	request *executorv1.IssueAttemptTokenRequest

	mu         sync.Mutex
	token      string
	isAsked    bool
	askAgainAt time.Time
}

// context brings the token along.
func (t *attemptToken) context(ctx context.Context, anew bool) (context.Context, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	isOld := !t.askAgainAt.IsZero() && time.Now().After(t.askAgainAt)
	if t.own != "" && (anew || !t.isAsked || isOld) {
		if err := t.ask(ctx); err != nil {
			return nil, err
		}
	}
	if t.token == "" { // The scheduler runs in development mode.
		return metadata.AppendToOutgoingContext(ctx, "offstage-user", t.owner), nil
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+t.token), nil
}

func (t *attemptToken) ask(ctx context.Context) error {
	own := metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+t.own)
	own, done := context.WithTimeout(own, callTimeout)
	defer done()
	answer, err := t.issuer.IssueAttemptToken(own, t.request, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	t.token, t.isAsked, t.askAgainAt = answer.Token, true, time.Time{}
	// By the scheduler's clock: one that seems to have expired is used until it is refused.
	if life := time.Until(answer.ExpireTime.AsTime()); answer.ExpireTime != nil && life > 0 {
		t.askAgainAt = time.Now().Add(life * 4 / 5)
	}
	return nil
}

// allowed calls once more with another token where the first is refused.
func (t *attemptToken) allowed(ctx context.Context, call func(context.Context) error) error {
	bearing, err := t.context(ctx, false)
	if err != nil {
		return err
	}
	if err = call(bearing); status.Code(err) != codes.Unauthenticated {
		return err
	}
	if bearing, err = t.context(ctx, true); err != nil {
		return err
	}
	return call(bearing)
}

// storage is what an executor does in temp storage for an attempt.
type storage struct {
	client storagev1.StorageServiceClient
	token  *attemptToken
}

func (s *storage) read(ctx context.Context, address string) (value []byte, err error) {
	err = s.token.allowed(ctx, func(ctx context.Context) error {
		value = nil
		stream, err := s.client.GetValue(ctx, &storagev1.GetValueRequest{Address: address})
		for err == nil {
			var part *storagev1.GetValueResponse
			if part, err = stream.Recv(); err == nil {
				value = append(value, part.GetChunk()...)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	})
	return value, err
}

// put stores a result where the caller wants it, else as the own of the job. The request id makes a
// repeat safe.
func (s *storage) put(
	ctx context.Context, value []byte, namespace, address string,
) (payload *jobsv1.Payload, err error) {
	size := int64(len(value))
	header := &storagev1.PutValueHeader{
		Namespace: namespace, Address: address, ForJob: address == "", ContentType: jsonType,
		Size: &size, RequestId: uuid.NewString(),
	}
	err = s.token.allowed(ctx, func(ctx context.Context) error {
		ctx, done := context.WithTimeout(ctx, callTimeout)
		defer done()
		stream, err := s.client.PutValue(ctx)
		if err != nil {
			return err
		}
		first := &storagev1.PutValueRequest{Part: &storagev1.PutValueRequest_Header{Header: header}}
		err = stream.Send(first)
		for rest := value; err == nil && len(rest) > 0; {
			chunk := rest[:min(chunkBytes, len(rest))]
			rest = rest[len(chunk):]
			part := &storagev1.PutValueRequest_Chunk{Chunk: chunk}
			err = stream.Send(&storagev1.PutValueRequest{Part: part})
		}
		// Why a send failed is told by the answer.
		answer, err := stream.CloseAndRecv()
		if err != nil {
			return err
		}
		payload = &jobsv1.Payload{
			Source:      &jobsv1.Payload_Address{Address: answer.Value.Address},
			Sha256:      answer.Value.Sha256,
			ContentType: jsonType,
		}
		return nil
	})
	return payload, err
}

// look tells whether results have a place to go. A storage that cannot be asked holds nobody up.
func (s *storage) look(ctx context.Context, scope string, addresses ...string) error {
	if scope == "" && strings.Join(addresses, "") == "" {
		return nil // And no token is asked for.
	}
	ctx, done := context.WithTimeout(ctx, 5*time.Second)
	defer done()
	err := s.token.allowed(ctx, func(ctx context.Context) error {
		for _, address := range addresses {
			if address == "" {
				continue
			}
			request := &storagev1.DescribeValueRequest{Address: address}
			if _, err := s.client.DescribeValue(ctx, request); err != nil {
				return err
			}
		}
		if scope != "" {
			request := &storagev1.KeepScopeAliveRequest{Scope: scope}
			_, err := s.client.KeepScopeAlive(ctx, request)
			return err
		}
		return nil
	})
	switch status.Code(err) {
	case codes.OK, codes.Unavailable, codes.DeadlineExceeded:
		return nil
	case codes.Canceled:
		return err
	}
	if reasonOf(err) == notHeld {
		return err
	}
	brief := "The result has no place to go: " + status.Convert(err).Message()
	return &Failure{Brief: brief, Reason: reasonOf(err)}
}
