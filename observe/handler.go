package observe

import (
	"encoding/json"
	"net/http"
)

// Healthz answers 200 as long as the process can answer at all.
func (h *Health) Healthz() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		respond(w, http.StatusOK, "application/json", map[string]Status{"status": OK})
	})
}

// Readyz answers with the status and the checks it was told from: 503 while
// the process must get no requests, else 200, also when it is degraded.
func (h *Health) Readyz() http.Handler {
	type body struct {
		Status Status        `json:"status"`
		Checks []CheckResult `json:"checks"`
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		status, checks := h.Ready()
		code := http.StatusOK
		if status == Down {
			code = http.StatusServiceUnavailable
		}
		respond(w, code, "application/json", body{Status: status, Checks: checks})
	})
}

// Handler serves /healthz, /readyz and, unless metrics is nil, /metrics, and
// answers everything else with a problem document.
func Handler(h *Health, metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/healthz", readOnly(h.Healthz()))
	mux.Handle("/readyz", readOnly(h.Readyz()))
	if metrics != nil {
		mux.Handle("/metrics", readOnly(metrics))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		problem(w, http.StatusNotFound, "not_found", "there are /healthz, /readyz and /metrics here")
	})
	return mux
}

// readOnly refuses every method but GET and HEAD.
func readOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			problem(w, http.StatusMethodNotAllowed, "method_not_allowed", "use GET or HEAD")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// problem answers with a document of RFC 9457.
func problem(w http.ResponseWriter, status int, code, detail string) {
	respond(w, status, "application/problem+json", struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
		Code   string `json:"code"`
	}{"about:blank", http.StatusText(status), status, detail, code})
}

// respond writes a body of strings and numbers; that the caller has gone is no
// error of this process.
func respond(w http.ResponseWriter, status int, contentType string, body any) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
