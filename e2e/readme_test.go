package e2e_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

// The README's curl lines are run against asyncops dev, and their answers must
// be those that it shows, but for ids, times and the like.
func TestReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := consoleExamples(string(text))
	if len(examples) != 3 {
		t.Fatalf("the README has %d curl lines with an answer, want 3", len(examples))
	}
	addr := testkit.FreeAddr(t)
	p := testkit.StartProcess(t, testkit.ProcessConfig{
		Package: "cmd/asyncops", Args: []string{"dev"}, Dir: t.TempDir(), Env: []string{"ASYNCOPS_API_LISTEN=" + addr},
	})
	p.WaitHealthy(time.Minute, "http://"+addr+"/readyz")
	for _, example := range examples {
		command := strings.ReplaceAll(example.command, "localhost:8080", addr)
		var stderr bytes.Buffer
		run := exec.CommandContext(t.Context(), "sh", "-c", command)
		run.Stderr = &stderr
		out, err := run.Output()
		if err != nil {
			t.Fatalf("%s\n%v %s", command, err, stderr.String())
		}
		got, want := decoded(t, string(out)), decoded(t, example.answer)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s\nanswers %v\nthe README says %v", example.command, got, want)
		}
	}
}

type consoleExample struct{ command, answer string }

var consoleBlock = regexp.MustCompile("(?s)```console\n(.*?)```")

// consoleExamples finds the console blocks that hold a curl command and a JSON
// answer. A command goes on while its quotes are open.
func consoleExamples(text string) []consoleExample {
	var found []consoleExample
	for _, block := range consoleBlock.FindAllStringSubmatch(text, -1) {
		rest, ok := strings.CutPrefix(block[1], "$ curl ")
		if !ok {
			continue
		}
		end, open := 0, false
		for ; end < len(rest) && (open || rest[end] != '\n'); end++ {
			if rest[end] == '\'' {
				open = !open
			}
		}
		found = append(found, consoleExample{command: "curl " + rest[:end], answer: rest[end:]})
	}
	return found
}

// volatile strings differ from run to run: ids, links with one, times.
var volatile = regexp.MustCompile(`^([0-9a-f]{8}-[0-9a-f-]{27}|/v1/jobs/[0-9a-f-]{36}.*|\d{4}-\d\d-\d\dT.*|\w{3}, \d\d \w{3} \d{4} .*)$`)

func decoded(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s\nis no JSON: %v", text, err)
	}
	return masked(v)
}

// masked replaces what is volatile.
func masked(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			if v[name] = masked(value); name == "duration_ms" {
				v[name] = "volatile"
			}
		}
	case []any:
		for i := range v {
			v[i] = masked(v[i])
		}
	case string:
		if volatile.MatchString(v) {
			return "volatile"
		}
	}
	return v
}
