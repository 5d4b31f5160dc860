package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/sdk"
)

// json reports whether results are printed as JSON.
func (s *session) json() bool { return s.flags.Output == "json" }

// printJSON prints v, indented.
func (s *session) printJSON(v any) error {
	enc := json.NewEncoder(s.Stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	return nil
}

// printTable prints rows under their headings, in columns.
func (s *session) printTable(headings []string, rows [][]string) error {
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{headings}, rows...) {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = printable(cell)
		}
		_, _ = fmt.Fprintln(w, strings.Join(cells, "\t")) // a buffer takes everything
	}
	_ = w.Flush() // as above
	for line := range strings.Lines(table.String()) {
		if _, err := fmt.Fprintln(s.Stdout, strings.TrimRight(line, " \n")); err != nil {
			return fmt.Errorf("print the result: %w", err)
		}
	}
	return nil
}

// printable keeps what others wrote into a job from steering the terminal.
func printable(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return text
	}
	quoted := strconv.Quote(text)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// print prints v as JSON, or as the table that rows makes of it.
func (s *session) print(v any, headings []string, rows func() [][]string) error {
	if s.json() {
		return s.printJSON(v)
	}
	return s.printTable(headings, rows())
}

// printJob prints all of a job.
func (s *session) printJob(j *sdk.Job) error {
	if s.json() {
		return s.printJSON(j)
	}
	rows := [][]string{
		{"kind", j.Kind},
		{"queue", j.Queue},
		{"state", withDetail(string(j.State), waiting(j.WaitingOn))},
		{"attempt", fmt.Sprintf("%d of %d", j.Attempt, j.MaxAttempts)},
	}
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, []string{name, value})
		}
	}
	add("crashes", count(j.Crashes))
	add("generation", count(j.Generation))
	add("delivery", string(j.Delivery))
	add("tags", strings.Join(j.Tags, ", "))
	add("created", moment(j.CreatedAt))
	add("run at", moment(j.RunAt))
	add("started", moment(j.StartedAt))
	add("finished", moment(j.FinishedAt))
	add("error", errorText(j.Error))
	add("args", compact(j.Args))
	add("result", compact(j.Result))
	return s.printTable([]string{"id", string(j.ID)}, rows)
}

// waiting says why a job is not running.
func waiting(w *job.WaitingOn) string {
	if w == nil {
		return ""
	}
	text := string(w.Reason)
	if w.Detail != "" {
		text += ": " + w.Detail
	}
	if w.Until != nil {
		text += ", until " + moment(*w.Until)
	}
	return text
}

func withDetail(text, detail string) string {
	if detail == "" {
		return text
	}
	return text + " (" + detail + ")"
}

func errorText(e *job.Error) string {
	if e == nil {
		return ""
	}
	return string(e.Code) + ": " + e.Message
}

// moment writes a time to the second; nothing for none.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// count writes a number; nothing for zero.
func count(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// compact writes JSON on one line.
func compact(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return b.String()
}
