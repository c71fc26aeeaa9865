package truliootest

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io"
	"mime"
	"net"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

// ETag is the kind of ETag that a file's answer has.
type ETag int

// The kinds of ETag.
const (
	StrongETag ETag = iota
	WeakETag
	NoETag
)

// Files is how files are served. The zero value serves them well: with a length,
// a strong ETag, and ranges. Those of 10 KB and more begin with a JPEG that can be shown.
type Files struct {
	Size              int64 // of every file, in bytes; the default is 20 to 80 KB, by the key
	ETag              ETag
	IgnoreRange       bool   // the whole file for a range
	WrongContentRange bool   // a 206 whose Content-Range names other bytes than it has
	Chunked           bool   // no Content-Length
	OpenEnded         bool   // neither Content-Length nor chunks: the file ends with the connection. A range is served well
	ChangeEachRequest bool   // other bytes, and another ETag, for each request
	Redirect          bool   // 302 to the object store, on another host
	ContentType       string // the default is image/jpeg
	Disposition       string // Content-Disposition; the default is attachment with the name in the key
}

// WithFiles sets how files are served.
func WithFiles(f Files) Option { return func(_ *setup, s *settings) { s.files = f } }

// SetFiles changes how files are served from now on.
func (s *Server) SetFiles(f Files) { s.change(func(to *settings) { to.files = f }) }

// ChangeFiles gives every file other bytes of the same length, and another ETag.
func (s *Server) ChangeFiles() { s.edition.Add(1) }

// FileContent is the content that a download of the key has now. Its Seek knows the size.
func (s *Server) FileContent(key string) io.ReadSeeker { return s.content(key) }

// serveFile is GET query/file.
func (s *Server) serveFile(w http.ResponseWriter, r *http.Request, a *Account) {
	key := r.URL.Query().Get("key")
	switch {
	case key == "":
		s.writeJSON(w, r, http.StatusBadRequest, []byte(`{"code":4006,"message":"Missing data: key"}`))
	case !a.hasFile(key):
		s.writeJSON(w, r, http.StatusNotFound, []byte(`{"code":404,"message":"File not found"}`))
	case s.settings.Load().files.Redirect:
		http.Redirect(w, r, s.store.link(key), http.StatusFound) //nolint:gosec // to the store, whatever the key
	default:
		s.sendFile(w, r, key)
	}
}

// sendFile streams a file as the settings say.
func (s *Server) sendFile(w http.ResponseWriter, r *http.Request, key string) {
	how := s.settings.Load().files
	if how.ChangeEachRequest {
		s.ChangeFiles()
	}
	content := s.content(key)
	header := w.Header()
	header.Set("Content-Type", "image/jpeg")
	if how.ContentType != "" {
		header.Set("Content-Type", how.ContentType)
	}
	header.Set("Content-Disposition", disposition(how, key))
	switch tag := strconv.FormatUint(content.seed, 16); how.ETag {
	case StrongETag:
		header.Set("ETag", `"`+tag+`"`)
	case WeakETag:
		header.Set("ETag", `W/"`+tag+`"`)
	case NoETag:
	}
	if how.IgnoreRange || how.Chunked || how.OpenEnded && r.Header.Get("Range") == "" {
		header.Set("Accept-Ranges", "none")
		switch {
		case how.OpenEnded:
			header.Set("Transfer-Encoding", "identity") // net/http's word for a body without chunks; it is not sent
		case !how.Chunked:
			header.Set("Content-Length", strconv.FormatInt(content.size, 10)) //nolint:gosec // the other case has no length
		}
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush() // or a small file would get its length after all
		_, _ = io.Copy(w, content)
		return
	}
	if how.WrongContentRange {
		w = &wrongRange{ResponseWriter: w, size: content.size}
	}
	http.ServeContent(w, r, "", time.Time{}, content)
}

func disposition(how Files, key string) string {
	if how.Disposition != "" {
		return how.Disposition
	}
	name := "file.jpg"
	if decoded, err := base64.StdEncoding.DecodeString(key); err == nil {
		name = path.Base(string(decoded))
	}
	return mime.FormatMediaType("attachment", map[string]string{"filename": name})
}

// wrongRange moves the Content-Range of a 206 by one byte.
type wrongRange struct {
	http.ResponseWriter
	size int64
}

// Unwrap lets http.ResponseController flush and hijack.
func (w *wrongRange) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader changes the header.
func (w *wrongRange) WriteHeader(status int) {
	if status == http.StatusPartialContent {
		length, _ := strconv.ParseInt(w.Header().Get("Content-Length"), 10, 64)
		first := max(w.size-length-1, 0)
		w.Header().Set("Content-Range", "bytes "+strconv.FormatInt(first, 10)+"-"+
			strconv.FormatInt(first+length-1, 10)+"/"+strconv.FormatInt(w.size, 10))
	}
	w.ResponseWriter.WriteHeader(status)
}

// content is a file's bytes, computed as they are read: a photo where it fits in,
// and behind it the word at offset 8i, which is a mix of the seed and i.
type content struct {
	seed   uint64
	photo  []byte
	size   int64
	offset int64
}

func (s *Server) content(key string) *content {
	hash := fnv.New64a()
	_, _ = io.WriteString(hash, key)
	sum := mix(hash.Sum64())
	size := s.settings.Load().files.Size
	if size == 0 {
		size = int64(20_000 + sum%60_000)
	}
	c := &content{seed: mix(sum + s.edition.Load()), size: size}
	if photo := photos[c.seed%uint64(len(photos))](); int64(len(photo)) <= size {
		c.photo = photo
	}
	return c
}

// Read computes the next bytes.
func (c *content) Read(p []byte) (int, error) {
	if c.offset >= c.size {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), c.size-c.offset)]
	n := len(p)
	if c.offset < int64(len(c.photo)) {
		k := copy(p, c.photo[c.offset:])
		p, c.offset = p[k:], c.offset+int64(k)
	}
	for len(p) > 0 {
		word, within := uint64(c.offset)/8, int(c.offset%8) //nolint:gosec // the offset is not negative
		if within == 0 && len(p) >= 8 {
			binary.LittleEndian.PutUint64(p, mix(c.seed+word))
			p, c.offset = p[8:], c.offset+8
			continue
		}
		var bytes [8]byte
		binary.LittleEndian.PutUint64(bytes[:], mix(c.seed+word))
		k := copy(p, bytes[within:])
		p, c.offset = p[k:], c.offset+int64(k)
	}
	return n, nil
}

// Seek moves within the file.
func (c *content) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += c.offset
	case io.SeekEnd:
		offset += c.size
	}
	if offset < 0 {
		return 0, errors.New("truliootest: seek before the start of a file")
	}
	c.offset = offset
	return offset, nil
}

// mix is the output function of splitmix64: every bit of x changes half of the result.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// objectStore is the other host to which files can be redirected. Like the
// real ones it takes a signed link, and refuses a second way to authenticate.
type objectStore struct {
	server   *Server
	origin   string
	endpoint *endpoint
	counts   counter
}

func newObjectStore(s *Server, l net.Listener) *objectStore {
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return &objectStore{server: s, origin: "http://" + net.JoinHostPort("localhost", port)}
}

// StoreRequests are the last 1024 requests to the object store of
// Files.Redirect, oldest first. The store answers 400 to one with a bearer token.
func (s *Server) StoreRequests() []Request { return s.store.counts.all() }

func (o *objectStore) link(key string) string {
	return o.origin + "/objects/" + base64.RawURLEncoding.EncodeToString([]byte(key)) + "?X-Signature=" + o.sign(key)
}

func (o *objectStore) sign(key string) string {
	hash := fnv.New64a()
	_, _ = io.WriteString(hash, o.server.ClientSecret+key)
	return strconv.FormatUint(hash.Sum64(), 16)
}

func (o *objectStore) handle(w http.ResponseWriter, r *http.Request) {
	rec := &recorder{ResponseWriter: w, counts: &o.counts, entry: o.counts.begin(DownloadFile, r)}
	name, ok := strings.CutPrefix(r.URL.Path, "/objects/")
	key, err := base64.RawURLEncoding.DecodeString(name)
	switch {
	case !ok || err != nil || !bytes.Equal([]byte(r.URL.Query().Get("X-Signature")), []byte(o.sign(string(key)))):
		answer(rec, http.StatusForbidden, "<Error><Code>SignatureDoesNotMatch</Code></Error>")
	case r.Header.Get("Authorization") != "":
		answer(rec, http.StatusBadRequest, "<Error><Code>InvalidArgument</Code>"+
			"<Message>Only one auth mechanism allowed</Message></Error>")
	default:
		o.server.sendFile(rec, r, string(key))
	}
}
