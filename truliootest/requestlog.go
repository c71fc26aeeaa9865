package truliootest

import (
	"io"
	"net/http"
	"net/url"
	"sync"
)

// logSize is how many requests the log keeps.
const logSize = 1024

// Request is one request that the server got. Header holds the bearer token and
// RawQuery a version 1 secret: both are the server's own.
type Request struct {
	Operation Operation   // Any for an unknown path
	Method    string      // such as "GET"
	Path      string      // escaped, as it came
	RawQuery  string      // escaped, as it came
	Header    http.Header // do not change it
	Status    int         // of the answer; 0 while there is none, and for a reset before one
	Bytes     int64       // of the answer's body, as written to the connection
}

// Query parses RawQuery.
func (r Request) Query() url.Values {
	values, _ := url.ParseQuery(r.RawQuery)
	return values
}

// Count is how many requests of op have come. Any counts all, those for tokens
// and for unknown paths included.
func (s *Server) Count(op Operation) int {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	if op != Any {
		return s.counts.operations[op]
	}
	total := 0
	for _, n := range s.counts.operations {
		total += n
	}
	return total
}

// Connections is how many connections have been opened to the API.
func (s *Server) Connections() int {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	return s.counts.connections
}

// BytesSent is the size of all answer bodies so far, as written to the connections.
func (s *Server) BytesSent() int64 {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	return s.counts.bytes
}

// Requests are the last 1024 requests, oldest first. Those to the object store
// are in StoreRequests.
func (s *Server) Requests() []Request { return s.counts.all() }

// ResetCounts sets every count to zero and empties the log.
func (s *Server) ResetCounts() {
	s.counts.reset()
	s.store.counts.reset()
}

// counter counts requests and keeps the last of them in a ring.
type counter struct {
	mu          sync.Mutex
	operations  map[Operation]int
	connections int
	bytes       int64
	log         []*Request
	oldest      int // of a full ring
}

func (c *counter) connection() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.connections++
}

func (c *counter) begin(op Operation, r *http.Request) *Request {
	entry := &Request{
		Operation: op,
		Method:    r.Method,
		Path:      r.URL.EscapedPath(),
		RawQuery:  r.URL.RawQuery,
		Header:    r.Header,
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.operations == nil {
		c.operations = map[Operation]int{}
	}
	c.operations[op]++
	if len(c.log) < logSize {
		c.log = append(c.log, entry)
		return entry
	}
	c.log[c.oldest] = entry
	c.oldest = (c.oldest + 1) % logSize
	return entry
}

// wrote counts bytes before they are sent, so that a test that has read an answer
// finds it counted.
func (c *counter) wrote(entry *Request, status int, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if entry.Status == 0 {
		entry.Status = status
	}
	entry.Bytes += bytes
	c.bytes += bytes
}

func (c *counter) all() []Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	requests := make([]Request, 0, len(c.log))
	for i := range c.log {
		requests = append(requests, *c.log[(c.oldest+i)%len(c.log)])
	}
	return requests
}

func (c *counter) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.operations)
	c.connections, c.bytes, c.log, c.oldest = 0, 0, nil, 0
}

// recorder notes the status and the size of an answer.
type recorder struct {
	http.ResponseWriter
	counts *counter
	entry  *Request
}

// Unwrap lets http.ResponseController flush and hijack.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// WriteHeader notes the status.
func (r *recorder) WriteHeader(status int) {
	r.counts.wrote(r.entry, status, 0)
	r.ResponseWriter.WriteHeader(status)
}

// Write counts.
func (r *recorder) Write(p []byte) (int, error) {
	r.counts.wrote(r.entry, http.StatusOK, int64(len(p)))
	return r.ResponseWriter.Write(p)
}

// ReadFrom counts, and keeps the server's pooled buffers for large files.
func (r *recorder) ReadFrom(src io.Reader) (int64, error) {
	return io.Copy(r.ResponseWriter, &countingReader{src, r})
}

type countingReader struct {
	io.Reader
	to *recorder
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.to.counts.wrote(c.to.entry, http.StatusOK, int64(n))
	return n, err
}
