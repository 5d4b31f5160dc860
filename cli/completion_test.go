package cli_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/cli"
)

func TestBashCompletion(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	r := run(t, outside{}, "completion", "bash")
	if r.code != cli.ExitOK {
		t.Fatalf("exit %d: %s", r.code, r.stderr)
	}
	tests := []struct {
		name, typed string // the last word is the one being typed
		want        string
	}{
		{"a command", "asyncops su", "submit"},
		{"commands that begin alike", "asyncops c", "config cancel clients completion"},
		{"a flag", "asyncops submit --idem", "--idempotency-key"},
		{"flags that begin alike", "asyncops bench --d", "--duration"},
		{"a subcommand", "asyncops queues pa", "pause"},
		{"a subcommand after a flag and its value", "asyncops --output json queues pa", "pause"},
		{"a flag after an argument", "asyncops get 0192 --wa", "--wait"},
		{"a flag of all commands", "asyncops workers --out", "--output"},
		{"a flag of another command", "asyncops workers --idem", ""},
		{"a value of a flag", "asyncops submit --queue pa", ""},
		{"a shell", "asyncops completion z", "zsh"},
		{"a command of two words", "asyncops keys create --di", "--direct"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			script := r.stdout + "\nCOMP_WORDS=(" + tt.typed + ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_asyncops\necho \"${COMPREPLY[@]}\"\n"
			out, err := exec.CommandContext(t.Context(), bash, "-c", script).CombinedOutput()
			if got := strings.TrimSpace(string(out)); err != nil || got != tt.want {
				t.Errorf("completion of %q = %q (%v), want %q", tt.typed, got, err, tt.want)
			}
		})
	}
}

func TestCompletionOfOtherShells(t *testing.T) {
	t.Parallel()
	for shell, want := range map[string]string{
		"zsh":  "#compdef asyncops\n",
		"fish": "complete -c asyncops -n '__fish_seen_subcommand_from queues' -a 'pause' -d 'Let no more jobs of a queue start.'\n",
	} {
		if r := run(t, outside{}, "completion", shell); r.code != cli.ExitOK || !strings.Contains(r.stdout, want) {
			t.Errorf("completion %s = exit %d %q, want …%s…", shell, r.code, r.stdout, want)
		}
		if path, err := exec.LookPath(shell); err == nil {
			check := exec.CommandContext(t.Context(), path, "-n")
			check.Stdin = strings.NewReader(run(t, outside{}, "completion", shell).stdout)
			if out, err := check.CombinedOutput(); err != nil {
				t.Errorf("%s -n: %v: %s", shell, err, out)
			}
		}
	}
}
