package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/sdk"
)

// Bounds of what is sent at once, well within those of a server.
const (
	maxChunkLines = 1000
	maxChunkBytes = 4 << 20
	maxLineBytes  = 16 << 20
	maxToldLines  = 20 // rejected lines that are told one by one
)

// upload is the submission of a file.
type upload struct {
	s      *session
	client *sdk.Client
	name   string // of the file
	bar    *bar
	report report
	ids    []job.ID // accepted
	read   int64    // bytes
	lines  int      // sent
	told   int      // rejected lines that were told
}

// report is what became of a file's lines.
type report struct {
	Accepted int             `json:"accepted"`
	Rejected int             `json:"rejected"`
	Ended    map[string]int  `json:"ended,omitempty"` // jobs by the state in which they ended, and notEnded
	Items    []sdk.BatchItem `json:"items"`           // of lines that are not empty, in their order; only for JSON
}

// notEnded stands for the states of jobs that did not end in time.
const notEnded = "not_ended"

// chunk is some lines of the file.
type chunk struct {
	text  bytes.Buffer
	lines []int // the number of each in the file
	keyed bool  // all have an idempotency key
}

// submitFile submits each line of the file and tells what became of them.
func (c *submitCmd) submitFile(ctx context.Context, s *session) error {
	input, name, size := s.Stdin, "stdin", int64(0)
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return usage("--file: %v", err)
		}
		defer func() { _ = f.Close() }() // it was only read
		if info, err := f.Stat(); err == nil {
			size = info.Size()
		}
		input, name = f, c.File
	}
	client, err := s.connect()
	if err != nil {
		return err
	}
	u := &upload{s: s, client: client, name: name, bar: newBar(s, "submitting", size)}
	u.report.Items = []sdk.BatchItem{}
	err = u.submit(ctx, input)
	u.bar.end()
	if err == nil && c.Wait > 0 {
		err = u.wait(ctx, c.Wait.Std())
	}
	if printErr := u.print(); err == nil {
		err = printErr
	}
	if err == nil && (u.report.Rejected > 0 || (c.Wait > 0 && u.report.Ended[string(job.Completed)] != len(u.ids))) {
		err = errTold
	}
	return err
}

// submit sends the input in chunks.
func (u *upload) submit(ctx context.Context, input io.Reader) error {
	lines := bufio.NewScanner(input)
	lines.Buffer(make([]byte, 0, 64<<10), maxLineBytes)
	next := &chunk{keyed: true}
	number := 0
	for lines.Scan() {
		number++
		u.read += int64(len(lines.Bytes())) + 1
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		if len(next.lines) == maxChunkLines || next.text.Len()+len(line) > maxChunkBytes {
			if err := u.send(ctx, next); err != nil {
				return err
			}
			next = &chunk{keyed: true}
		}
		next.add(line, number)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: line %d: %w", u.name, number+1, err)
	}
	return u.send(ctx, next)
}

func (c *chunk) add(line []byte, number int) {
	var item struct {
		IdempotencyKey string `json:"idempotency_key"`
	}
	// What is wrong with the line the server tells.
	c.keyed = json.Unmarshal(line, &item) == nil && item.IdempotencyKey != "" && c.keyed
	c.text.Write(line)
	c.text.WriteByte('\n')
	c.lines = append(c.lines, number)
}

func (u *upload) send(ctx context.Context, c *chunk) error {
	if len(c.lines) == 0 {
		return nil
	}
	result, err := u.client.SubmitLines(ctx, bytes.NewReader(c.text.Bytes()), sdk.BatchOptions{Keyed: c.keyed})
	if err != nil {
		u.bar.end()
		u.s.tell("%s: stopped at line %d; nothing after it was sent", u.name, c.lines[0])
		return err
	}
	u.report.Accepted += result.Accepted
	u.report.Rejected += result.Rejected
	if u.s.json() {
		u.report.Items = append(u.report.Items, result.Items...)
	}
	for i, item := range result.Items {
		switch {
		case item.Error == nil:
			u.ids = append(u.ids, item.ID)
		case i < len(c.lines) && u.told < maxToldLines:
			u.told++
			u.bar.end()
			u.s.tell("%s:%d: %s", u.name, c.lines[i], item.Error)
		}
	}
	u.lines += len(c.lines)
	u.bar.show(u.read, fmt.Sprintf("%d jobs", u.lines))
	return nil
}

// wait waits for the ends of the accepted jobs, all in the time given.
func (u *upload) wait(ctx context.Context, atMost time.Duration) error {
	deadline := time.Now().Add(atMost)
	u.bar = newBar(u.s, "waiting", int64(len(u.ids)))
	defer u.bar.end()
	u.report.Ended = map[string]int{}
	for i, id := range u.ids {
		rest := time.Until(deadline)
		if rest <= 0 {
			u.report.Ended[notEnded] += len(u.ids) - i
			return nil
		}
		j, err := u.client.Wait(ctx, id, rest)
		if err != nil {
			return err
		}
		end := notEnded
		if j.State.Terminal() {
			end = string(j.State)
		}
		u.report.Ended[end]++
		u.bar.show(int64(i+1), fmt.Sprintf("%d of %d jobs ended", i+1, len(u.ids)))
	}
	return nil
}

// print prints what became of the lines.
func (u *upload) print() error {
	if more := u.report.Rejected - u.told; more > 0 {
		u.s.tell("%s: %d more lines were rejected", u.name, more)
	}
	if u.s.json() {
		return u.s.printJSON(u.report)
	}
	headings := []string{"ACCEPTED", "REJECTED"}
	row := []string{strconv.Itoa(u.report.Accepted), strconv.Itoa(u.report.Rejected)}
	for _, end := range slices.Sorted(maps.Keys(u.report.Ended)) {
		headings = append(headings, strings.ToUpper(strings.ReplaceAll(end, "_", " ")))
		row = append(row, strconv.Itoa(u.report.Ended[end]))
	}
	return u.s.printTable(headings, [][]string{row})
}
