package api_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/job"
)

// Every code that an operation or a call can fail with has its answer: those
// that the program's author must hear of are 500, and the others are not.
func TestAnswerToFailures(t *testing.T) {
	t.Parallel()
	faults := []job.Code{ // of the program, its configuration, or the targets' administration
		job.CodeInvalid, job.CodeUnknownKind, job.CodeUnknownTable, job.CodeNotFound, job.CodePermission, job.CodeEffectsMissing, job.CodeInternal,
	}
	jobs := []job.Code{ // what only happens to jobs
		job.CodeCanceled, job.CodeExpired, job.CodePoison, job.CodeExhausted, job.CodeWorkerLost, job.CodeFailed, job.CodeCacheAway, job.CodeNotKept,
	}
	for _, code := range job.Codes() {
		w := httptest.NewRecorder()
		err := &job.Failure{Class: job.ClassPermanent, Code: code, Message: "told"}
		status := api.AnswerError(w, err)
		internal := slices.Contains(faults, code) || slices.Contains(jobs, code)
		if internal != (status == http.StatusInternalServerError) || internal == api.Foreseen(err) {
			t.Errorf("%s is answered %d, foreseen: %t; want 500 and not foreseen: %t", code, status, api.Foreseen(err), internal)
		}
		if w.Code != status || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: answered %d %v, told %d", code, w.Code, w.Header(), status)
		}
		if status >= 500 && strings.Contains(w.Body.String(), "told") {
			t.Errorf("%s = %s: a caller can do nothing with the failure's words", code, w.Body)
		}
		if retry := w.Header().Get("Retry-After"); (status == http.StatusServiceUnavailable) != (retry != "") {
			t.Errorf("%s = %d with Retry-After %q", code, status, retry)
		}
	}
}

func TestRefuse(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	if status := api.AnswerError(w, api.Refuse(http.StatusPaymentRequired, "payment_required", "100% of it")); status != http.StatusPaymentRequired {
		t.Errorf("AnswerError = %d, want 402", status)
	}
	if body := w.Body.String(); !strings.Contains(body, `"code":"payment_required"`) || !strings.Contains(body, "100% of it") {
		t.Errorf("body = %s", body)
	}
}
