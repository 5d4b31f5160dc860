package config_test

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asyncops/asyncops/config"
)

func TestStarterIsDefault(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(config.Default(), mustLoad(t, config.Starter(), nil)); diff != "" {
		t.Errorf("Load of Starter differs from Default (-want +got):\n%s", diff)
	}
}

// TestStarterExamples loads the file with its examples: the comments that do
// not begin with one blank.
func TestStarterExamples(t *testing.T) {
	t.Parallel()
	examples := regexp.MustCompile(`(?m)^#( ?)([^ \n]|  )`)
	content := examples.ReplaceAllStringFunc(config.Starter(), func(mark string) string {
		if mark[1] == ' ' && mark[2] != ' ' {
			return mark // prose
		}
		return mark[1:]
	})
	cfg := mustLoad(t, content, environment{"OPS_KEY": key1, "APP_PASSWORD": "pw", "CRM_TOKEN": "token"})
	if len(cfg.API.Keys) != 1 || len(cfg.Databases) != 1 || len(cfg.Clients) != 1 || len(cfg.Schedules) != 1 {
		t.Errorf("got %d keys, %d databases, %d clients, %d schedules, want one each",
			len(cfg.API.Keys), len(cfg.Databases), len(cfg.Clients), len(cfg.Schedules))
	}
}
