package app //nolint:testpackage // what it tests is nobody else's

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		file, text string
		want       int64
	}{
		"a limit":          {"memory.max", "1073741824\n", 1 << 30},
		"none":             {"memory.max", "max\n", 0},
		"an older kernel":  {"memory/memory.limit_in_bytes", "536870912\n", 1 << 29},
		"none, older":      {"memory/memory.limit_in_bytes", "9223372036854771712\n", 0},
		"no control group": {"other", "1", 0},
		"nonsense":         {"memory.max", "-5\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), tt.file)
			root := filepath.Dir(path)
			if filepath.Base(root) == "memory" {
				root = filepath.Dir(root)
			}
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := memoryLimit(root); got != tt.want && os.Getenv("GOMEMLIMIT") == "" {
				t.Errorf("memoryLimit = %d, want %d", got, tt.want)
			}
		})
	}
	if used := memoryUsed(); used < 1<<20 || used > 1<<40 {
		t.Errorf("memoryUsed = %d, want some megabytes", used)
	}
}
