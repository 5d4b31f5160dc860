package observe

import (
	"io"
	"log/slog"
)

// Logger returns a logger that writes lines of JSON to w, or of key=value
// pairs if format is "text". level is debug, info, warn or error; anything
// else is info. Times are UTC. It is safe for concurrent use.
func Logger(w io.Writer, level, format string) *slog.Logger {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		least = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: least, ReplaceAttr: inUTC}
	if format == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// inUTC is for slog.HandlerOptions.ReplaceAttr.
func inUTC(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindTime {
		a.Value = slog.TimeValue(a.Value.Time().UTC())
	}
	return a
}
