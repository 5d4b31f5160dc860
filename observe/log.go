package observe

import (
	"io"
	"log/slog"
)

// Logger returns a logger that writes lines of JSON to w, or of key=value
// pairs if format is "text". level is debug, info, warn or error; anything
// else is info. Times are UTC, durations like 1m30s. It is safe for concurrent use.
func Logger(w io.Writer, level, format string) *slog.Logger {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		least = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: least, ReplaceAttr: readable}
	if format == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// readable is for slog.HandlerOptions.ReplaceAttr: times are UTC, and lengths of
// time are written as settings are, 30s and not nanoseconds.
func readable(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindTime:
		a.Value = slog.TimeValue(a.Value.Time().UTC())
	case slog.KindDuration:
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}
