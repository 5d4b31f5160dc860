package asyncops_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/asyncops/asyncops"
	"github.com/asyncops/asyncops/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// program is an App with a server around it.
type program struct {
	*asyncops.App
	echo *echo.Echo
	log  *lines
}

// lines is a log.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// alone are the settings of a program that needs nothing else. FOLDER is the
// test's own.
const alone = `
ledger: {dsn: "sqlite:FOLDER/ledger.db"}
redis: {url: none}
`

// settings writes a configuration to a file, and the database main.db beside
// it.
func settings(t testing.TB, text string) string {
	t.Helper()
	folder := t.TempDir()
	path := filepath.Join(folder, "asyncops.yaml")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "FOLDER", folder)), 0o600); err != nil {
		t.Fatal(err)
	}
	makeUsers(t, filepath.Join(folder, "main.db"))
	return path
}

// makeUsers makes a table on SQLite.
func makeUsers(t testing.TB, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, age INTEGER)`); err != nil {
		t.Fatal(err)
	}
}

// open opens an App, which is closed at the test's end.
func open(t testing.TB, text string, opts ...asyncops.Option) *program {
	t.Helper()
	p := &program{echo: echo.New(), log: &lines{}}
	log := slog.New(slog.NewTextHandler(p.log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	app, err := asyncops.Open(settings(t, text), append(opts, asyncops.WithLogger(log))...)
	if err != nil {
		t.Fatal(err)
	}
	p.App = app
	t.Cleanup(func() {
		if err := app.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return p
}

// start is open, and starts the App; its routes are behind Middleware.
func start(t testing.TB, text string, opts ...asyncops.Option) *program {
	t.Helper()
	p := open(t, text, opts...)
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.echo.Use(asyncops.Middleware(p.App))
	return p
}

// answer is what a request came to.
type answer struct {
	status int
	header http.Header
	body   string
}

// problem reads a problem document.
func (a answer) problem(t testing.TB) (p struct {
	Code, Detail string
	Errors       []struct{ Pointer, Code string }
}) {
	t.Helper()
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type = %q of %d %s, want a problem", got, a.status, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Errorf("%s: %v", a.body, err)
	}
	return p
}

// do makes a request; header holds names and values in turns.
func (p *program) do(t testing.TB, method, path, body string, header ...string) answer {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	p.echo.ServeHTTP(w, r)
	text, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{w.Code, w.Result().Header, strings.TrimSpace(string(text))}
}

// operation is a route that asks for the same each time.
func operation(kind, args string) asyncops.Build {
	return func(echo.Context) (asyncops.Submission, error) {
		return asyncops.Submission{Kind: kind, Args: json.RawMessage(args)}, nil
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
