package dispatch //nolint:testpackage // what it tests is nobody else's

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/asyncops/asyncops/job"
)

// The settings of a doorbell are what keeps asynq's faults out (ADR 0004).
func TestDoorbellTask(t *testing.T) {
	t.Parallel()
	bell := job.Doorbell{ID: string(job.NewID()), Queue: "low", Jobs: []job.ID{job.NewID(), job.NewID()}}
	task, opts := doorbellTask(bell)
	got := map[asynq.OptionType]any{}
	for _, o := range opts {
		got[o.Type()] = o.Value()
	}
	want := map[asynq.OptionType]any{
		asynq.TaskIDOpt: bell.ID, asynq.QueueOpt: "low", asynq.MaxRetryOpt: 5, asynq.TimeoutOpt: 5 * time.Minute,
	}
	for option, value := range want {
		if got[option] != value {
			t.Errorf("option %v = %v, want %v", option, got[option], value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("options = %v, want no others than %v", got, want)
	}
	if ids := doorbellJobs(task.Payload()); !slices.Equal(ids, bell.Jobs) {
		t.Errorf("doorbellJobs = %v, want %v", ids, bell.Jobs)
	}
}

func FuzzDoorbellJobs(f *testing.F) {
	f.Add([]byte("0192f0c1-2345-7abc-8def-0123456789ab 0192f0c1-2345-7abc-8def-0123456789ac"))
	f.Add([]byte("' OR 1=1 --"))
	f.Add([]byte(strings.Repeat(string(job.NewID())+" ", 200)))
	f.Fuzz(func(t *testing.T, payload []byte) {
		ids := doorbellJobs(payload)
		if len(ids) > job.MaxDoorbellJobs {
			t.Fatalf("%d jobs, want at most %d", len(ids), job.MaxDoorbellJobs)
		}
		for _, id := range ids {
			if _, err := job.ParseID(string(id)); err != nil {
				t.Fatalf("id %q: %v", id, err)
			}
		}
	})
}
