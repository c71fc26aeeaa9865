package trulioo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/trulioo-go/trulioo/internal/filename"
	"github.com/trulioo-go/trulioo/internal/redact"
	"github.com/trulioo-go/trulioo/internal/resume"
	"github.com/trulioo-go/trulioo/internal/transport"
)

// FilesService downloads the photos and documents that end clients uploaded.
type FilesService struct{ client *Client }

// Format prints the type's name only: the client in it holds a secret.
func (FilesService) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.FilesService") }

// File is a download that has begun. Close Body.
type File struct {
	// Body streams the file. Reading a file that is cut off ends in a
	// *TransportError rather than in io.EOF.
	Body        io.ReadCloser
	ContentType string // the server's word; "" if it has none
	Size        int64  // in bytes; -1 if the server does not say
	Name        string // a safe file name: the server's cleaned, or the key's
}

// Format prints the type's name only: a file's name can be personal.
func (f File) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.File") }

// LogValue is the type's name, for slog.
func (f File) LogValue() slog.Value { return redact.Value("trulioo.File") }

// saveBuffer is large enough that the calls for each piece do not count.
const saveBuffer = 128 << 10

// Download begins to download the file of a key, as Profile.Files lists them.
// The API may redirect to another host, which never sees the token. There is no
// retry once the body has begun, and no time limit but ctx's and
// RetryPolicy.IdleTimeout.
//
// Operation: GET query/file
func (s *FilesService) Download(ctx context.Context, key string) (*File, error) {
	resp, err := s.open(ctx, key, nil)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, &DecodeError{Operation: routes.file.operation, Reason: "the answer is a success but not the file"}
	}
	return newFile(key, resp), nil
}

func newFile(key string, resp *http.Response) *File {
	f := &File{
		Body:        &fileBody{ReadCloser: resp.Body, left: resp.ContentLength},
		ContentType: resp.Header.Get("Content-Type"),
		Size:        resp.ContentLength,
		Name:        FileRef{Key: key}.Name(),
	}
	if _, params, err := mime.ParseMediaType(resp.Header.Get("Content-Disposition")); err == nil && params["filename"] != "" {
		f.Name = filename.Safe(params["filename"])
	}
	return f
}

// open asks for the file as it is stored: with a compression of the transport's
// on top, neither its length nor a range of it could be checked.
func (s *FilesService) open(ctx context.Context, key string, header http.Header) (*http.Response, error) {
	if key == "" {
		return nil, &ArgumentError{Argument: "key", Reason: "must not be empty"}
	}
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	call := &transport.Call{
		Operation: routes.file.operation,
		URL:       s.client.address(routes.file, "", url.Values{"key": {key}}),
		Header:    http.Header{"Accept-Encoding": {"identity"}},
	}
	maps.Copy(call.Header, header)
	resp, err := s.client.transport.Do(ctx, call)
	if err != nil {
		return nil, failure(call.Operation, err)
	}
	if coding := resp.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		_ = resp.Body.Close()
		return nil, &DecodeError{Operation: call.Operation, Reason: "the file came compressed, which was not asked for"}
	}
	return resp, nil
}

// Save downloads the file of a key to w and returns the bytes written, which
// are the whole file where the error is nil. A transfer that breaks is resumed
// only where the server proves by a strong ETag and an exact Content-Range that
// the rest belongs to what was written; else, with bytes written, it fails: w
// then holds the beginning of the file. An error of w is returned as it is.
func (s *FilesService) Save(ctx context.Context, key string, w io.Writer) (int64, error) {
	if w == nil {
		return 0, &ArgumentError{Argument: "w", Reason: "must not be nil"}
	}
	var t resume.Transfer
	for attempt := 1; ; attempt++ {
		resp, err := s.open(ctx, key, t.Header()) //nolint:bodyclose // copyFile closes it
		if err != nil {
			return t.Written, err
		}
		broken, err := copyFile(w, resp, &t)
		if !broken || ctx.Err() != nil || attempt >= s.client.config.policy().MaxAttempts || !t.Resumable() {
			return t.Written, err
		}
	}
}

// copyFile writes what resp brings, if it follows what was written. broken says
// that the reading failed rather than the writing.
func copyFile(w io.Writer, resp *http.Response, t *resume.Transfer) (broken bool, err error) {
	body := &fileBody{ReadCloser: resp.Body, left: resp.ContentLength}
	defer func() { _ = body.Close() }()
	if !t.Fits(resp) {
		return false, &DecodeError{Operation: routes.file.operation, Reason: "the rest of the file does not fit what was written", cause: io.ErrUnexpectedEOF}
	}
	// Without its ReadFrom, w cannot hide an error of the reading or choose a
	// smaller buffer.
	n, err := io.CopyBuffer(struct{ io.Writer }{w}, body, make([]byte, saveBuffer))
	t.Written += n
	return err != nil && err == body.err, err //nolint:errorlint // w may well return one of the same kind
}

// fileBody makes the errors of reading a file typed, and a short file an error.
type fileBody struct {
	io.ReadCloser
	left int64 // negative if not known
	err  error // what Read failed with, io.EOF apart
}

// Read implements io.Reader.
func (b *fileBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left >= 0 {
		b.left -= int64(n)
	}
	if errors.Is(err, io.EOF) && b.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	if err == nil || errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return n, err
	}
	b.err = transportError(routes.file.operation, err, 1)
	return n, b.err
}
