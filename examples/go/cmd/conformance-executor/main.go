// The methods by which docs/executor-protocol.md holds an executor against itself.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"example.com/you/executor"
)

const (
	look       = 10 * time.Millisecond
	nameSchema = `{
		"type": "object",
		"properties": { "name": { "type": "string" } },
		"required": ["name"]
	}`
)

// given is what the methods take, one or the other of it.
type given struct {
	Name      string `json:"name"`
	Steps     int    `json:"steps"`
	Retryable bool   `json:"retryable"`
	Brief     string `json:"brief"`
	Bytes     int    `json:"bytes"`
	Note      string `json:"note"`
	Gate      string `json:"gate"`
}

type handler func(ctx context.Context, job *executor.Job, params given) (any, error)

func method(name, schema string, run handler) executor.Method {
	return executor.Method{
		Name: "conformance." + name, ParamsSchema: schema,
		Run: func(ctx context.Context, job *executor.Job, raw []byte) (any, error) {
			var params given
			if err := json.Unmarshal(raw, &params); err != nil {
				return nil, &executor.Failure{Brief: err.Error(), Reason: "PARAMS_INVALID"}
			}
			return run(ctx, job, params)
		},
	}
}

var echo = executor.Method{
	Name: "conformance.echo",
	Run: func(_ context.Context, _ *executor.Job, params []byte) (any, error) {
		return json.RawMessage(params), nil
	},
}

func greet(_ context.Context, _ *executor.Job, params given) (any, error) {
	return "Hello " + params.Name, nil
}

func nothing(context.Context, *executor.Job, given) (any, error) { return nil, nil }

func report(_ context.Context, job *executor.Job, params given) (any, error) {
	for step := 1; step <= params.Steps; step++ {
		job.Progress(100*float64(step)/float64(params.Steps), "")
		job.Message(fmt.Sprintf("step %d", step))
	}
	return params.Steps, nil
}

func fail(_ context.Context, _ *executor.Job, params given) (any, error) {
	brief := params.Brief
	if brief == "" {
		brief = "It was asked to fail."
	}
	return nil, &executor.Failure{Brief: brief, Retryable: params.Retryable}
}

func large(_ context.Context, _ *executor.Job, params given) (any, error) {
	return strings.Repeat("x", params.Bytes), nil
}

func remember(_ context.Context, job *executor.Job, _ given) (any, error) {
	var last struct {
		Seen int `json:"seen"`
	}
	job.LastHeartbeat(&last)
	return last.Seen, job.Heartbeat(map[string]int{"seen": last.Seen + 1})
}

func hold(ctx context.Context, job *executor.Job, params given) (any, error) {
	return held(ctx, job, params, func() string { return "stopped" })
}

func why(ctx context.Context, job *executor.Job, params given) (any, error) {
	return held(ctx, job, params, func() string {
		var stopped *executor.Stopped
		if !errors.As(context.Cause(ctx), &stopped) {
			return "for no reason"
		}
		return strings.TrimSpace(stopped.Code + " " + stopped.Reason)
	})
}

func both(_ context.Context, job *executor.Job, params given) (any, error) {
	job.SetAdditionalResult(strings.Repeat("y", params.Bytes))
	return "the main one", nil
}

func parent(ctx context.Context, job *executor.Job, _ given) (any, error) {
	result, err := job.Run(ctx, "conformance.echo", map[string]string{"of": "the parent"})
	return json.RawMessage(result), err
}

func held(
	ctx context.Context, job *executor.Job, params given, stopped func() string,
) (any, error) {
	begin(job, params)
	for !isThere(params.Gate) {
		select {
		case <-ctx.Done():
			note(params, stopped())
			return nil, ctx.Err()
		case <-time.After(look):
		}
	}
	return "released", nil
}

func deaf(_ context.Context, job *executor.Job, params given) (any, error) {
	begin(job, params)
	for !isThere(params.Gate) {
		time.Sleep(look)
	}
	return "released", nil
}

func begin(job *executor.Job, params given) {
	note(params, "begun")
	job.Message("begun")
	job.Progress(50, "")
}

func note(params given, line string) {
	file, err := os.OpenFile(params.Note, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		log.Print(err)
		return
	}
	defer file.Close()
	fmt.Fprintln(file, line)
}

func isThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func main() {
	grace, err := time.ParseDuration(or("OFFSTAGE_EXECUTOR_DRAIN_GRACE", "20s"))
	if err != nil {
		log.Fatalf("OFFSTAGE_EXECUTOR_DRAIN_GRACE: %v", err)
	}
	secured, err := tlsFrom(
		os.Getenv("OFFSTAGE_TLS_CA"), os.Getenv("OFFSTAGE_TLS_CERT"), os.Getenv("OFFSTAGE_TLS_KEY"))
	if err != nil {
		log.Fatal(err)
	}
	config := executor.Config{
		TLS:        secured,
		Scheduler:  or("OFFSTAGE_SCHEDULER", "127.0.0.1:7701"),
		Storage:    or("OFFSTAGE_STORAGE", "127.0.0.1:7702"),
		Namespace:  or("OFFSTAGE_NAMESPACE", "default"),
		Token:      os.Getenv("OFFSTAGE_TOKEN"),
		Slots:      8,
		DrainGrace: grace,
	}
	executing, err := executor.New(config, echo,
		method("greet", nameSchema, greet), method("nothing", "", nothing),
		method("report", "", report), method("fail", "", fail), method("large", "", large),
		method("remember", "", remember), method("hold", "", hold), method("deaf", "", deaf),
		method("why", "", why), method("both", "", both), method("parent", "", parent))
	if err != nil {
		log.Fatal(err)
	}
	ctx, done := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer done()
	executing.Run(ctx)
}

// tlsFrom is whom to trust, and what to show; nil for plain text.
func tlsFrom(ca, cert, key string) (*tls.Config, error) {
	if ca == "" {
		return nil, nil
	}
	signers, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	if !config.RootCAs.AppendCertsFromPEM(signers) {
		return nil, fmt.Errorf("%s holds no certificate", ca)
	}
	if cert != "" {
		own, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{own}
	}
	return config, nil
}

func or(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
