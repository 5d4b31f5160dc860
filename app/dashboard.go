package app

import (
	"net/http"

	"github.com/asyncops/asyncops/dashboard"
)

// dashboard is what serves the pages, and the path beneath which it does; none
// and "" when they are turned off.
func (s *system) dashboard() (http.Handler, string, error) {
	if !s.cfg.Dashboard.Enabled {
		return nil, "", nil
	}
	pages, err := dashboard.New(s.cfg.Dashboard.BasePath)
	return pages, s.cfg.Dashboard.BasePath, err
}
