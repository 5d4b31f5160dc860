package store

import "github.com/asyncops/asyncops/job"

// MaxReadBytes bounds the values of one read, in bytes as the database sends
// them: one that would bring more fails with result_too_large. Go's own memory
// for the same rows is a small multiple of it.
const MaxReadBytes = 64 << 20

func tooLarge() error {
	return job.Permanent(job.CodeResultTooLarge, "the rows have more than %d MiB of values; read fewer rows or columns", MaxReadBytes>>20)
}

// size is what a value counts towards MaxReadBytes.
func size(value any) int {
	switch value := value.(type) {
	case string:
		return len(value)
	case []byte:
		return len(value)
	}
	return 8
}
