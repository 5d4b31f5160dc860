package api

import (
	"crypto/sha256"
	"net/http"

	"github.com/asyncops/asyncops/internal/strictjson"
	"github.com/asyncops/asyncops/job"
)

const headerIdempotencyKey = "Idempotency-Key"

// IdempotencyKey returns the idempotency key of a request's header, "" for none.
// Its error is an answer: see AnswerError.
func IdempotencyKey(h http.Header) (string, error) {
	values, given := h[headerIdempotencyKey]
	switch {
	case !given:
		return "", nil
	case len(values) > 1:
		return "", malformedKey("the header %s is given twice", headerIdempotencyKey)
	}
	return values[0], checkKey(values[0])
}

// checkKey answers 400 unless the key is 1 to job.MaxKeyLength visible ASCII
// characters.
func checkKey(key string) error {
	if len(key) < 1 || len(key) > job.MaxKeyLength {
		return malformedKey("the idempotency key has %d bytes; want 1 to %d", len(key), job.MaxKeyLength)
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return malformedKey("the idempotency key holds a character that is not visible ASCII")
		}
	}
	return nil
}

// chooseKey returns the key of the header or of the body; both and different
// is refused.
func chooseKey(header string, body *string) (string, error) {
	if body == nil {
		return header, nil
	}
	if err := checkKey(*body); err != nil {
		return "", err
	}
	if header != "" && header != *body {
		return "", malformedKey("the header %s and the field idempotency_key differ", headerIdempotencyKey)
	}
	return *body, nil
}

func malformedKey(format string, args ...any) error {
	return refuse(http.StatusBadRequest, CodeIdempotencyKey, format, args...)
}

// fingerprint is the SHA-256 of a submission in its canonical form without its
// idempotency key. The body has passed strictjson.Check.
func fingerprint(body []byte, holdsKey bool) [sha256.Size]byte {
	if holdsKey {
		body = withoutKey(body)
	}
	return sha256.Sum256(strictjson.Canonical(body))
}

// withoutKey is the object without its member idempotency_key.
func withoutKey(body []byte) []byte {
	out := make([]byte, 1, len(body))
	out[0] = '{'
	for name, value := range strictjson.Members(body) {
		if name == "idempotency_key" {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = appendString(out, name)
		out = append(out, ':')
		out = append(out, value...)
	}
	return append(out, '}')
}
