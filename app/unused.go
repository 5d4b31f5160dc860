package app

import (
	"maps"
	"slices"

	"github.com/asyncops/asyncops/config"
)

// unused lists the settings that somebody has made and that this release does
// not act on yet. They are told at the start: a limit that is not kept is worse
// than none.
func unused(cfg *config.Config) []string {
	var settings []string
	note := func(set bool, setting string) {
		if set {
			settings = append(settings, setting)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Queues)) {
		note(cfg.Queues[name].MaxPending > 0, "queues."+name+".max_pending")
		note(cfg.Queues[name].MaxInFlight > 0, "queues."+name+".max_in_flight")
	}
	note(cfg.Observability.OTLPEndpoint != "", "observability.otlp_endpoint")
	return settings
}
