package api

import (
	"context"
	_ "embed" // openapi.json
	"net/http"
	"slices"
)

// openAPIDocument describes the REST interface (OpenAPI 3.1). It is the source,
// not an output: tests compare it with the routes, the states, the codes and
// every request and answer that they make.
//
//go:embed openapi.json
var openAPIDocument []byte

// OpenAPI returns the OpenAPI 3.1 document of the REST interface.
func OpenAPI() []byte { return slices.Clone(openAPIDocument) }

// openAPI is GET /openapi.json.
func (s *Server) openAPI(_ context.Context, c *call) error {
	c.Response().Header().Set("Cache-Control", "no-cache")
	return s.send(c, http.StatusOK, openAPIDocument)
}
