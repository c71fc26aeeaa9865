package trulioo

import (
	"context"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/trulioo-go/trulioo/internal/download"
	"github.com/trulioo-go/trulioo/internal/transport"
)

// FilesService downloads the photos and documents that end clients uploaded.
//
//trulioo:redact fmt
type FilesService struct{ client *Client }

// File is a download that has begun. Close Body.
//
//trulioo:redact
type File struct {
	// Body streams the file. Reading a file that is cut off ends in a
	// *TransportError rather than in io.EOF.
	Body            io.ReadCloser
	ContentType     string // the server's word; "" if it has none
	ContentEncoding string // the server's word for how Body is encoded, such as "base64"; "" if it is not
	Size            int64  // in bytes; -1 if the server does not say
	Name            string // a safe file name: the server's cleaned, or the key's
}

// saveBuffer is so large that the calls for each piece cost nearly nothing.
const saveBuffer = 128 << 10

// Download begins to download the file of a key, as Profile.Files lists them.
// The API may redirect to another host, which never sees the token. There is no
// retry once the body has begun, and no time limit but ctx's and
// RetryPolicy.IdleTimeout.
//
// A file can be cut off unseen where the answer has neither a length nor chunks. The
// library then asks the server for the length, by a range and by HEAD. Where the
// server does not say it either, the file ends in ErrOpenEnded instead of io.EOF,
// unless WithOpenEndedFiles accepts it.
//
// Operation: GET query/file
func (s *FilesService) Download(ctx context.Context, key string) (*File, error) {
	resp, err := s.open(ctx, key, nil)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, &DecodeError{Operation: routes.file.operation, Where: s.asked().where, Reason: "the status is a success, but the answer is not the file"}
	}
	return s.newFile(ctx, key, resp), nil
}

func (s *FilesService) newFile(ctx context.Context, key string, resp *http.Response) *File {
	coding, _ := download.Coding(resp)
	f := &File{
		Body:            s.newBody(ctx, resp),
		ContentType:     resp.Header.Get("Content-Type"),
		ContentEncoding: coding,
		Size:            resp.ContentLength,
		Name:            FileRef{Key: key}.Name(),
	}
	if _, params, err := mime.ParseMediaType(resp.Header.Get("Content-Disposition")); err == nil && params["filename"] != "" {
		f.Name = download.SafeName(params["filename"])
	}
	return f
}

func (s *FilesService) asked() asked { return s.client.config.asked(routes.file.operation) }

// open asks for the file as it is stored. A compression added by the transport would
// hide its length, and ranges of it could not be checked. Where the answer does not
// tell the file's length, open asks the server for it.
func (s *FilesService) open(ctx context.Context, key string, header http.Header) (*http.Response, error) {
	if key == "" {
		return nil, &ArgumentError{Argument: "key", Reason: "must not be empty"}
	}
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	resp, err := s.ask(ctx, http.MethodGet, key, header)
	if err != nil {
		return nil, err
	}
	if _, compressed := download.Coding(resp); compressed {
		_ = resp.Body.Close()
		return nil, &DecodeError{Operation: routes.file.operation, Where: s.asked().where, Reason: "the server compressed the file without being asked to"}
	}
	if resp.ContentLength < 0 {
		resp.ContentLength = download.PartLength(resp)
	}
	if resp.StatusCode == http.StatusOK && download.OpenEnded(resp) {
		resp.ContentLength = s.askLength(ctx, key, resp)
	}
	return resp, nil
}

// ask sends one request for the file. A HEAD asks for all but its bytes.
func (s *FilesService) ask(ctx context.Context, method, key string, header http.Header) (*http.Response, error) {
	call := &transport.Call{
		Operation: routes.file.operation,
		Head:      method == http.MethodHead,
		URL:       s.client.address(routes.file, "", url.Values{"key": {key}}),
		Header:    http.Header{"Accept-Encoding": {"identity"}},
		Accept:    func(resp *http.Response) error { return pageForFile(key, resp.Header.Get("Content-Type")) },
	}
	maps.Copy(call.Header, header)
	again := func(context.Context, error) bool { return false }
	if s.client.patience != nil {
		again = s.client.patience()
	}
	for {
		resp, err := s.client.do(ctx, call)
		if err == nil || !again(ctx, err) {
			return resp, err
		}
	}
}

// pageForFile refuses a gateway's page or an error in JSON where the name of the
// file promises something else: a page must not pass for a photo.
func pageForFile(key, contentType string) error {
	kind, _, _ := strings.Cut(contentType, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	own := mime.TypeByExtension(path.Ext(FileRef{Key: key}.Name()))
	reason := ""
	switch {
	case kind != "" && strings.HasPrefix(own, kind):
	case kind == "text/html", kind == "application/xhtml+xml":
		reason = "an HTML page in place of the file"
	case kind == "application/json", strings.HasSuffix(kind, "+json"):
		reason = "JSON in place of the file"
	}
	if reason == "" {
		return nil
	}
	return &transport.DecodeError{Err: &DecodeError{Reason: reason, cause: ErrUnexpectedAnswer}, MayPass: true}
}

// askLength asks for the length that first, an answer with the whole file,
// lacks; -1 where the server does not tell. A range of one byte comes before
// HEAD, since a signed address of an object store is good for one method only.
func (s *FilesService) askLength(ctx context.Context, key string, first *http.Response) int64 {
	for _, question := range []struct {
		method string
		header http.Header
	}{
		{http.MethodGet, http.Header{"Range": {"bytes=0-0"}}},
		{http.MethodHead, nil},
	} {
		resp, err := s.ask(ctx, question.method, key, question.header)
		if err != nil {
			continue
		}
		_ = resp.Body.Close()
		if length := download.WholeLength(resp, first); length >= 0 {
			return length
		}
	}
	return -1
}

// Save downloads the file of a key to w. The result's Size is the number of bytes
// written, which are the whole file where the error is nil; ContentEncoding is the
// coding that the file is stored in. The result has no Name, and its Ref has the Key
// only. A transfer that breaks is resumed only where the server proves by a strong ETag
// and an exact Content-Range that the rest belongs to the bytes written so far.
// Otherwise Save fails, and w holds the beginning of the file. A file of unknown length
// is written as far as it came, and the error is ErrOpenEnded; see Download. An error of
// w is returned as it is.
func (s *FilesService) Save(ctx context.Context, key string, w io.Writer) (SavedFile, error) {
	saved := SavedFile{Ref: FileRef{Key: key}}
	if w == nil {
		return saved, &ArgumentError{Argument: "w", Reason: "must not be nil"}
	}
	var t download.Transfer
	for attempt := 1; ; attempt++ {
		resp, err := s.open(ctx, key, t.Header())
		if err != nil {
			return saved, err
		}
		if t.Written == 0 { // the rest of a file has no coding of its own
			saved.ContentEncoding, _ = download.Coding(resp)
		}
		broken, err := s.copyFile(ctx, w, resp, &t)
		saved.Size = t.Written
		if !broken || ctx.Err() != nil || attempt >= s.client.config.policy().MaxAttempts || !t.Resumable() {
			return saved, err
		}
	}
}

// copyFile writes the body of resp, if that follows the bytes written so far. broken
// says that the reading failed rather than the writing.
func (s *FilesService) copyFile(ctx context.Context, w io.Writer, resp *http.Response, t *download.Transfer) (broken bool, err error) {
	if !t.Fits(resp) {
		_ = resp.Body.Close()
		return false, &DecodeError{Operation: routes.file.operation, Where: s.asked().where, Reason: "the rest of the file does not fit what was written", cause: io.ErrUnexpectedEOF}
	}
	body := s.newBody(ctx, resp)
	defer func() { _ = body.Close() }()
	// Without its ReadFrom, w cannot hide an error of the reading or choose a
	// smaller buffer.
	n, err := io.CopyBuffer(struct{ io.Writer }{w}, body, make([]byte, saveBuffer))
	t.Written += n
	return err != nil && err == body.err && !errors.Is(err, ErrOpenEnded), err //nolint:errorlint // w may well return one of the same kind
}

// fileBody types the errors of reading a file, makes a short or long file an error,
// and tells the observers of the end of the transfer.
type fileBody struct {
	io.ReadCloser
	asked     asked
	size      int64 // of the body; negative if not known
	openEnded bool  // nothing tells the end, and the caller has not accepted that
	read      atomic.Int64
	err       error         // what Read failed with, io.EOF apart
	end       func(Outcome) // tells the observers, once
}

func (s *FilesService) newBody(ctx context.Context, resp *http.Response) *fileBody {
	b := &fileBody{
		ReadCloser: resp.Body,
		asked:      s.asked(),
		size:       resp.ContentLength,
		openEnded:  download.OpenEnded(resp) && !s.client.config.openEnded,
	}
	_, end := startAll(ctx, s.client.config.observers(), Step{Kind: StepTransfer, Operation: OperationTransferFile, Environment: s.client.config.environment})
	var once sync.Once // a body may be closed from elsewhere while it is read
	b.end = func(o Outcome) { once.Do(func() { end(o) }) }
	return b
}

// Read implements io.Reader.
func (b *fileBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	read := b.read.Add(int64(n))
	switch {
	case err == nil && (b.size < 0 || read <= b.size):
		return n, nil
	case b.size >= 0 && read > b.size:
		b.err = &DecodeError{Operation: b.asked.operation, Where: b.asked.where, Reason: "the file is longer than the server said"}
	case !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		b.err = b.asked.transportError(err, 1)
	case read < b.size:
		b.err = b.asked.transportError(io.ErrUnexpectedEOF, 1)
	case b.openEnded:
		b.err = &TransportError{
			Operation: b.asked.operation, Where: b.asked.where, Reason: "the server does not say where the file ends",
			Attempts: 1, causes: []error{ErrOpenEnded},
		}
	default:
		b.end(Outcome{Bytes: read})
		return n, io.EOF
	}
	b.end(Outcome{Bytes: read, Err: b.err})
	return n, b.err
}

// Close ends the transfer. A file that the caller has not read to its end is no
// failure.
func (b *fileBody) Close() error {
	err := b.ReadCloser.Close()
	b.end(Outcome{Bytes: b.read.Load()})
	return err
}
