package cache

// Off returns a space that keeps nothing, for where there is no cache: Get
// loads, and Invalidate has nothing to make stale.
func Off() *Space { return &Space{} }

// off reports whether the space keeps nothing.
func (s *Space) off() bool { return s.cache == nil }
