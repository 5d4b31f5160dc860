package api

import (
	"context"
	"embed"
	"net/http"

	"github.com/asyncops/asyncops/job"
)

// pages holds the documentation page, which renders /openapi.json by itself.
//
//go:embed docs
var pages embed.FS

// docsPolicy lets the page load its own script and style and nothing else.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// docs is GET /docs.
func (s *Server) docs(_ context.Context, c *call) error {
	return s.sendPage(c, "index.html", "text/html; charset=utf-8")
}

// docsFile is GET /docs/{file}.
func (s *Server) docsFile(_ context.Context, c *call) error {
	switch c.Param("file") {
	case "docs.css":
		return s.sendPage(c, "docs.css", "text/css; charset=utf-8")
	case "docs.js":
		return s.sendPage(c, "docs.js", "text/javascript; charset=utf-8")
	}
	return job.ErrNotFound
}

func (s *Server) sendPage(c *call, name, contentType string) error {
	body, err := pages.ReadFile("docs/" + name)
	if err != nil {
		return err
	}
	header := c.Response().Header()
	header.Set("Content-Security-Policy", docsPolicy)
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-cache")
	return s.sendAs(c, http.StatusOK, contentType, body)
}
