package observe

import "github.com/prometheus/client_golang/prometheus"

// Gatherer lets tests lint the metrics.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }
