// What a client does with jobs, each in a few lines. The jobs are those of
// test/other-languages/client-jobs.ts.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"maps"
	"math/big"
	"os"
	"slices"
	"strings"
	"time"

	"example.com/you/client"
	jobsv1 "example.com/you/gen/offstage/jobs/v1"
)

func main() {
	ctx, done := context.WithTimeout(context.Background(), time.Minute)
	defer done()
	c, err := client.New(client.Config{
		Scheduler: or("OFFSTAGE_SCHEDULER", "127.0.0.1:7701"),
		Storage:   or("OFFSTAGE_STORAGE", "127.0.0.1:7702"),
		Token:     os.Getenv("OFFSTAGE_TOKEN"),
		User:      "ada",
	})
	must(err)
	defer c.Close()

	var greeting string
	must(c.Run(ctx, "clients.greet", map[string]any{"name": "Ada"}, client.JSON, &greeting))
	fmt.Println("inline:", greeting)

	watch(ctx, c)

	// Not waited for inline: the stream tells, with a poll beside it.
	var counted int
	job, err := c.Start(ctx, "clients.count", map[string]any{"to": 5}, client.JSON, 0)
	must(err)
	completion, err := c.Wait(ctx, job.JobId)
	must(err)
	must(c.Value(ctx, completion, &counted))
	fmt.Println("waited:", counted)

	// Canceled when it is halfway.
	job, err = c.Start(ctx, "clients.endless", nil, client.JSON, 0)
	must(err)
	must(c.Watch(ctx, job.JobId, func(event *jobsv1.JobEvent) {
		if progress := event.GetProgress(); progress != nil {
			fmt.Println("progress:", progress.Percent)
			must(c.Cancel(ctx, job.JobId, "changed my mind"))
		}
	}))
	completion, err = c.Wait(ctx, job.JobId)
	must(err)
	fmt.Println("canceled:", completion.State == jobsv1.JobState_JOB_STATE_CANCELED)

	// More than 64 KiB each way goes through temp storage.
	var reversed string
	text := map[string]any{"text": strings.Repeat("x", 200_000) + "y"}
	must(c.Run(ctx, "clients.reverse", text, client.JSON, &reversed))
	fmt.Println("large:", len(reversed))

	// A procedure returns nothing.
	var nothing any
	must(c.Run(ctx, "clients.nothing", nil, client.JSON, &nothing))
	fmt.Println("nothing:", nothing == nil)

	// What JSON has no word for.
	var doubled struct {
		N     *big.Int `cbor:"n"`
		Bytes []byte   `cbor:"bytes"`
	}
	double := map[string]any{"n": new(big.Int).Lsh(big.NewInt(1), 70), "bytes": []byte{0, 255}}
	must(c.Run(ctx, "clients.double", double, client.CBOR, &doubled))
	fmt.Printf("cbor: %s %x\n", doubled.N, doubled.Bytes)

	refusals(ctx, c)
}

// watch tells of messages as they come.
func watch(ctx context.Context, c *client.Client) {
	job, err := c.Start(ctx, "clients.count", map[string]any{"to": 3}, client.JSON, 0)
	must(err)
	must(c.Watch(ctx, job.JobId, func(event *jobsv1.JobEvent) {
		if message := event.GetMessage(); message != nil {
			fmt.Println("message:", message.Text)
		}
		if completion := event.GetCompletion(); completion != nil {
			var counted int
			must(c.Value(ctx, completion, &counted))
			fmt.Println("watched:", counted)
		}
	}))
}

func refusals(ctx context.Context, c *client.Client) {
	for _, wrong := range []struct {
		method string
		params map[string]any
	}{{"clients.gret", map[string]any{}}, {"clients.greet", map[string]any{"name": 7}}} {
		err := c.Run(ctx, wrong.method, wrong.params, client.JSON, nil)
		var refused *client.Refused
		if errors.As(err, &refused) {
			fields := slices.Collect(maps.Keys(refused.Violations))
			fmt.Println("refused:", refused.Reason, strings.Join(fields, " "))
		}
	}
	err := c.Run(ctx, "clients.fail", nil, client.JSON, nil)
	var failed *client.Failed
	if errors.As(err, &failed) {
		fmt.Println("failed:", failed.Completion.Error.Reason, failed)
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func or(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
