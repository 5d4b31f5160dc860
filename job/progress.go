package job

import "context"

// Progress is how far a run has come.
type Progress struct {
	Done    int64  `json:"done"`
	Total   int64  `json:"total"` // 0: not known
	Message string `json:"message"`
}

// ProgressReport is the progress of one run.
type ProgressReport struct {
	Job   ID
	Epoch int64
	Progress
}

type progressKey struct{}

// WithProgress returns a context whose holder may report progress. report is
// called from any goroutine, and must answer at once.
func WithProgress(ctx context.Context, report func(Progress)) context.Context {
	return context.WithValue(ctx, progressKey{}, report)
}

// ReportProgress tells those who watch the job how far its run has come. It
// answers at once, may be called as often as wanted, and does nothing outside
// of a run: the last report of about every second is shown.
func ReportProgress(ctx context.Context, p Progress) {
	if report, ok := ctx.Value(progressKey{}).(func(Progress)); ok {
		report(p)
	}
}
