package store

import "github.com/asyncops/asyncops/job"

// MaxReadBytes bounds the values of one read, in bytes as the database sends
// them: one that would bring more fails with result_too_large. Go's own memory
// for the same rows is a small multiple of it.
const MaxReadBytes = 64 << 20

// readBytes counts the values of one read.
type readBytes int

// add counts values; the error is the read's, once they are too many.
func (n *readBytes) add(values ...any) error {
	for _, value := range values {
		*n += size(value)
	}
	if *n > MaxReadBytes {
		return job.Permanent(job.CodeResultTooLarge, "the rows have more than %d MiB of values; read fewer rows or columns", MaxReadBytes>>20)
	}
	return nil
}

// size is what a value counts towards MaxReadBytes.
func size(value any) readBytes {
	switch value := value.(type) {
	case string:
		return readBytes(len(value))
	case []byte:
		return readBytes(len(value))
	}
	return 8
}
