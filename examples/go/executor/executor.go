// Package executor runs jobs, by docs/executor-protocol.md alone.
//
// One session attaches by one stream at a time, opened again whenever it breaks. What it holds
// outlives the streams: attempts until their handlers have returned, results until they are
// acknowledged.
package executor

import (
	"context"
	"crypto/tls"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	executorv1 "example.com/you/gen/offstage/executor/v1"
	jobsv1 "example.com/you/gen/offstage/jobs/v1"
	storagev1 "example.com/you/gen/offstage/storage/v1"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
)

const (
	lane        = jobsv1.Lane_LANE_INLINE
	pause       = 100 * time.Millisecond
	pauseFactor = 1.8
	pauseMax    = 5 * time.Second
	welcomeWait = 10 * time.Second
	lastWord    = 2 * time.Second
)

// Config says who attaches where.
type Config struct {
	Scheduler, Storage string
	// Namespace whose jobs it runs; empty for the default one.
	Namespace string
	// Token it attaches with; empty in development.
	Token string
	// TLS is whom to trust, and what to show; nil for plain text.
	TLS *tls.Config
	// Slots is how many jobs run at once.
	Slots int32
	// DrainGrace is how long running jobs may take when it stops.
	DrainGrace time.Duration
}

// Executor has one lock, which guards all below it.
type Executor struct {
	config  Config
	methods map[string]Method
	woken   chan struct{}

	toScheduler, toStorage *grpc.ClientConn
	jobs                   jobsv1.JobServiceClient

	mu              sync.Mutex
	sessionID, lost string
	lease           time.Duration
	expiry          *time.Timer
	running         map[key]*attempt
	outbox          *outbox
	credits         int32 // Given and not used up.
	failures        int
	isDraining      bool
	hasLeft         bool
}

// New compiles the schemas of the methods.
func New(config Config, methods ...Method) (*Executor, error) {
	e := &Executor{
		config: config, methods: map[string]Method{}, woken: make(chan struct{}, 1),
		sessionID: uuid.NewString(), lease: 15 * time.Second,
		running: map[key]*attempt{}, outbox: newOutbox(),
	}
	for _, method := range methods {
		compiled, err := method.compiled()
		if err != nil {
			return nil, err
		}
		e.methods[method.Name] = compiled
	}
	var err error
	if e.toScheduler, err = e.dial(config.Scheduler); err != nil {
		return nil, err
	}
	e.jobs = jobsv1.NewJobServiceClient(e.toScheduler)
	e.toStorage, err = e.dial(config.Storage)
	return e, err
}

// dial makes a connection of its own, without the pauses that an earlier one has earned. A scheduler
// that froze takes heartbeats without a word: the pings tell. Go sends none oftener than every 10 s.
func (e *Executor) dial(target string) (*grpc.ClientConn, error) {
	security := insecure.NewCredentials()
	if e.config.TLS != nil {
		security = credentials.NewTLS(e.config.TLS)
	}
	return grpc.NewClient(target,
		grpc.WithTransportCredentials(security),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(16<<20)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: 10 * time.Second, Timeout: 4 * time.Second,
		}))
}

// Run attaches until the context is done; then it drains.
func (e *Executor) Run(ctx context.Context) {
	streams, end := context.WithCancel(context.Background())
	defer end()
	go func() {
		<-ctx.Done()
		e.drain()
		// The scheduler ends the stream then.
		time.Sleep(lastWord)
		end()
	}()
	for {
		err := e.attach(streams)
		e.mu.Lock()
		hasLeft := e.hasLeft
		wait := float64(pause) * math.Pow(pauseFactor, float64(e.failures))
		e.failures++
		e.mu.Unlock()
		if hasLeft {
			return
		}
		if err != nil {
			log.Printf("no stream to the scheduler: %v", err)
		}
		time.Sleep(time.Duration(min(wait, float64(pauseMax)) * (0.5 + rand.Float64()/2)))
	}
}

// attach is one stream, until it ends.
func (e *Executor) attach(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	connection, err := e.dial(e.config.Scheduler)
	if err != nil {
		return err
	}
	defer connection.Close()
	if e.config.Token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+e.config.Token)
	}
	stream, err := executorv1.NewExecutorServiceClient(connection).Attach(ctx)
	if err != nil {
		return err
	}
	if err = stream.Send(e.hello()); err != nil {
		_, err = stream.Recv() // Which tells why.
		return err
	}
	unwelcome := time.AfterFunc(welcomeWait, cancel)
	frame, err := stream.Recv()
	unwelcome.Stop()
	if err != nil {
		return err
	}
	e.welcome(frame.Welcome)
	spoken := make(chan struct{})
	go func() {
		defer close(spoken)
		e.speak(ctx, stream)
	}()
	defer func() {
		cancel()
		<-spoken
	}()
	for ; err == nil; frame, err = stream.Recv() {
		e.hear(frame)
		if frame.Drain { // This replica is going away.
			return nil
		}
	}
	return err
}

// hello brings the results along, so that none comes after the scheduler has looked for what got
// lost.
func (e *Executor) hello() *executorv1.AttachRequest {
	e.mu.Lock()
	defer e.mu.Unlock()
	host, _ := os.Hostname()
	hello := &executorv1.Hello{
		SessionId: e.sessionID, LostSessionId: e.lost, Namespace: e.config.Namespace,
		Name: fmt.Sprintf("%s %d", host, os.Getpid()), Software: "offstage-go-example",
		Lanes: []*executorv1.LaneSlots{{Lane: lane, Slots: e.config.Slots}},
	}
	for _, method := range e.methods {
		hello.Methods = append(hello.Methods, &executorv1.MethodDefinition{
			Name: method.Name, Description: method.Description, ParamsSchema: method.ParamsSchema,
		})
	}
	for k, running := range e.running {
		if !running.isOver {
			hello.Running = append(hello.Running, k.ref())
		}
	}
	for k := range e.outbox.results {
		hello.Running = append(hello.Running, k.ref())
	}
	e.outbox.rewind()
	frame := &executorv1.AttachRequest{Hello: hello, Draining: e.isDraining}
	e.outbox.fill(frame)
	return frame
}

func (e *Executor) welcome(welcome *executorv1.Welcome) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lease = welcome.GetLease().AsDuration()
	e.lost, e.credits, e.failures = "", 0, 0
	e.renew()
	e.wake()
	log.Printf("attached to %s as %s", e.config.Scheduler, e.sessionID)
}

type attachStream = grpc.BidiStreamingClient[executorv1.AttachRequest, executorv1.AttachResponse]

// speak sends what there is to say, and a heartbeat after every third of the lease without.
func (e *Executor) speak(ctx context.Context, stream attachStream) {
	for {
		e.mu.Lock()
		beat := e.lease / 3
		e.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-e.woken:
		case <-time.After(beat):
		}
		frame, isLast := e.next()
		if stream.Send(frame) != nil {
			return // Whoever reads is told why.
		}
		if isLast {
			_ = stream.CloseSend()
			return
		}
		e.mu.Lock()
		e.renew()
		e.mu.Unlock()
	}
}

func (e *Executor) next() (frame *executorv1.AttachRequest, isLast bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	frame = &executorv1.AttachRequest{Draining: e.isDraining, Heartbeat: true}
	isMore := e.outbox.fill(frame)
	if isMore {
		e.wake()
	}
	taken := int32(0)
	for _, running := range e.running {
		if running.waits == 0 {
			taken++
		}
	}
	owed := e.config.Slots - taken - e.credits
	if owed > 0 && !e.isDraining {
		frame.Credits = []*executorv1.Credit{{Lane: lane, Slots: owed}}
		e.credits += owed
	}
	return frame, e.hasLeft && !isMore
}

// wake has what there is to say sent soon.
func (e *Executor) wake() {
	select {
	case e.woken <- struct{}{}:
	default: // It is already.
	}
}

// renew counts the lease from now; the lock is held.
func (e *Executor) renew() {
	if e.expiry != nil {
		e.expiry.Stop()
	}
	e.expiry = time.AfterFunc(e.lease, e.lose)
}

// lose gives up what the session held: its lease has run out, and others run that.
func (e *Executor) lose() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lost, e.sessionID = e.sessionID, uuid.NewString()
	for _, running := range e.running {
		running.halt(stop{kind: "fenced"}, ownGrace)
	}
	e.outbox = newOutbox()
}

func (e *Executor) hear(frame *executorv1.AttachResponse) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, assignment := range frame.Assignments {
		e.assign(assignment)
	}
	for _, order := range frame.Cancels {
		e.cancelAttempt(order)
	}
	for _, ref := range frame.Fenced {
		if running := e.running[keyOf(ref)]; running != nil {
			running.halt(stop{kind: "fenced"}, ownGrace)
		}
		e.outbox.forget(keyOf(ref))
	}
	for _, ref := range frame.Acknowledged {
		e.outbox.forget(keyOf(ref))
	}
}

func (e *Executor) assign(assignment *executorv1.Assignment) {
	e.credits = max(0, e.credits-1)
	k := keyOf(assignment)
	switch {
	case e.running[k] != nil || e.outbox.results[k] != nil:
		e.wake() // After a break it may be said again; its credit is owed again.
	case e.isDraining:
		e.outbox.handBack(k)
		e.wake()
	default:
		token := &attemptToken{
			issuer: executorv1.NewExecutorServiceClient(e.toScheduler),
			own:    e.config.Token, owner: assignment.Owner,
			request: &executorv1.IssueAttemptTokenRequest{
				SessionId: e.sessionID, Namespace: e.config.Namespace,
				JobId: k.jobID, Attempt: k.attempt,
			},
		}
		storing := &storage{client: storagev1.NewStorageServiceClient(e.toStorage), token: token}
		started := &attempt{key: k, executor: e, assignment: assignment, storage: storing}
		e.running[k] = started
		started.begin()
	}
}

func (e *Executor) cancelAttempt(order *executorv1.CancelOrder) {
	k := keyOf(order)
	grace := ownGrace
	if order.Grace != nil {
		grace = order.Grace.AsDuration()
	}
	if running := e.running[k]; running != nil {
		running.halt(stop{kind: "canceled", reason: order.Reason}, grace)
	} else if e.outbox.results[k] == nil {
		canceled := &executorv1.AttemptResult_Canceled{Canceled: "it was not running"}
		e.outbox.end(k, &executorv1.AttemptResult{
			JobId: k.jobID, Attempt: k.attempt, Outcome: canceled,
		})
		e.wake()
	}
}

// free gives the slot of an attempt back whose handler has returned; the lock is held.
func (e *Executor) free(ended *attempt) {
	if e.running[ended.key] == ended {
		delete(e.running, ended.key)
	}
	e.wake()
}

// drain takes nothing new, waits for what runs, hands back the rest, and returns once all that is
// recorded.
func (e *Executor) drain() {
	e.mu.Lock()
	e.isDraining = true
	e.wake()
	e.mu.Unlock()
	e.waitUntil(func() bool { return len(e.running) == 0 }, e.config.DrainGrace)
	e.mu.Lock()
	for _, running := range e.running {
		running.halt(stop{kind: "draining"}, time.Second)
	}
	e.mu.Unlock()
	e.waitUntil(func() bool {
		for _, running := range e.running {
			if !running.isOver {
				return false
			}
		}
		return e.outbox.isEmpty()
	}, 2*lastWord)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.hasLeft = true
	e.wake()
}

func (e *Executor) waitUntil(holds func() bool, longest time.Duration) {
	for end := time.Now().Add(longest); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		e.mu.Lock()
		does := holds()
		e.mu.Unlock()
		if does {
			return
		}
	}
}
