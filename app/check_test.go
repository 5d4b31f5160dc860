package app //nolint:testpackage // what it tests is nobody else's

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is wrong with a schedule's job is told with its field and its line, by the
// check and by each process that begins.
func TestConfigCheckReadsSchedules(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "asyncops.yaml")
	text := `redis: {url: "redis://localhost:6379/0"}
databases:
  main: {dsn: "sqlite:` + filepath.Join(filepath.Dir(path), "main.db") + `", tables: {users: {columns: [id, name]}}}
schedules:
  - name: nightly
    cron: "@daily"
    job:
      kind: db.select_many
      args:
        table: users
        where:
          nmae: Ada
  - {name: other, cron: "@daily", job: {kind: http.batch, args: {
      requests: [
        {client: crm, method: GET, path: /}]}}}
  - name: right
    cron: "@daily"
    job: {kind: db.select_one, args: {table: users}}
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(main func(Process) int, args ...string) (int, []string) {
		var out bytes.Buffer
		p := Process{
			Args: args, Getenv: func(string) string { return "" }, Environ: func() []string { return nil },
			Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out,
		}
		code := main(p)
		return code, strings.Split(strings.TrimSpace(out.String()), "\n")
	}
	want := []string{
		path + `:12: schedules[0].job.args.where.nmae: `,
		path + `:15: schedules[1].job.args.requests[0].client: `,
	}
	for name, begin := range map[string]func() (int, []string){
		"config check": func() (int, []string) { return run(Main, "config", "check", "--config", path) },
		"scheduler":    func() (int, []string) { return run(Scheduler, "--config", path) },
	} {
		code, lines := begin()
		var got []string
		for i, line := range lines {
			line = strings.TrimPrefix(line, "asyncops: ")
			if i < len(want) && strings.HasPrefix(line, want[i]) && len(line) > len(want[i]) {
				line = want[i]
			}
			got = append(got, line)
		}
		if diff := cmp.Diff(want, got); code != ExitUsage || diff != "" {
			t.Errorf("%s exits with %d (-want +got):\n%s", name, code, diff)
		}
	}
}

func TestSettingOf(t *testing.T) {
	t.Parallel()
	for pointer, want := range map[string]string{
		"": "", "/args": ".args", "/args/items/0/args/a~1b": ".args.items[0].args.a/b", "/tags/12": ".tags[12]",
	} {
		if got := settingOf(pointer); got != want {
			t.Errorf("settingOf(%q) = %q, want %q", pointer, got, want)
		}
	}
}
