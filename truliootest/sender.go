package truliootest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/internal/guard"
	"github.com/trulioo-go/trulioo/internal/transport"
)

// A Server's sender proves itself with these; give them to the handler under test.
const (
	WebhookToken  = "verification-token-of-the-builder"
	WebhookSecret = "shared-secret-of-the-account"
)

// Sender sends callbacks to a webhook as the vendor does: signed, with the
// token in them, and again until they are acknowledged. Its zero value sends
// without token and signature.
type Sender struct {
	Token      string        // set in every body; "" for none
	Secret     string        // signs every body; "" for no signature
	HTTPClient *http.Client  // nil for one that gives up after 10 s, as the vendor does
	Attempts   int           // deliveries of one event until it is given up; 0 means 5
	Wait       time.Duration // between them, doubled each time; 0 means 20 ms. The vendor's schedule is not known
}

// Sender gives a sender with WebhookToken and WebhookSecret.
func (s *Server) Sender() *Sender { return &Sender{Token: WebhookToken, Secret: WebhookSecret} }

// SendEvent is Sender.SendEvent with WebhookToken and WebhookSecret.
func (s *Server) SendEvent(ctx context.Context, target string, ev *trulioo.Event) error {
	return s.Sender().SendEvent(ctx, target, ev)
}

// Handshake is Sender.Handshake with WebhookToken and WebhookSecret.
func (s *Server) Handshake(ctx context.Context, target string) error {
	return s.Sender().Handshake(ctx, target)
}

// SendEvent posts an event to a URL until it is answered with a 2xx. Each
// delivery after the first has a retry counter that is one higher. The error
// is that of the last delivery: a *NotAcknowledged, or the network's error.
func (s *Sender) SendEvent(ctx context.Context, target string, ev *trulioo.Event) error {
	var last error
	pause := cmp.Or(s.Wait, 20*time.Millisecond)
	for attempt := range max(cmp.Or(s.Attempts, 5), 1) {
		if attempt > 0 && !transport.Wait(ctx, pause<<(attempt-1)) {
			return ctx.Err()
		}
		status, err := s.Deliver(ctx, target, ev, ev.Retry+attempt)
		if err == nil && status/100 == 2 {
			return nil
		}
		last = err
		if err == nil {
			last = &NotAcknowledged{Status: status, Attempts: attempt + 1}
		}
	}
	return last
}

// NotAcknowledged means that no delivery of an event was answered with a 2xx.
type NotAcknowledged struct {
	Status   int // of the last answer
	Attempts int // deliveries made
}

// Error names the status and the attempts.
func (e *NotAcknowledged) Error() string {
	text := fmt.Sprintf("truliootest: event not acknowledged: status %d after %d deliveries", e.Status, e.Attempts)
	if e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden {
		text += ": " + notVerified
	}
	return text
}

// notVerified is the most frequent reason for a refusal.
const notVerified = "the token or the signing secret is not the receiver's, " +
	"or it checks the signature of another text than the raw body, such as one that was decoded and encoded again"

// Deliver posts an event once, with that retry counter, and gives the status.
func (s *Sender) Deliver(ctx context.Context, target string, ev *trulioo.Event, retry int) (status int, err error) {
	body, err := s.Body(ev, retry)
	if err != nil {
		return 0, err
	}
	got, err := s.post(ctx, target, body)
	return got.status, err
}

// Body is the body that Deliver posts: the event's JSON, compact, with the token and the
// counter set. As in the vendor's bodies, only necessary escapes are used: "<", "&" and
// U+2028 stand as they are. A receiver that encodes the body again before it checks
// the signature therefore fails.
func (s *Sender) Body(ev *trulioo.Event, retry int) ([]byte, error) {
	plain, err := ev.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var callback map[string]jsontext.Value
	if err := json.Unmarshal(plain, &callback); err != nil {
		return nil, err
	}
	if s.Token != "" {
		callback["token"], err = json.Marshal(s.Token)
	}
	callback["retry"] = fmt.Append(nil, retry)
	if err != nil {
		return nil, err
	}
	return json.Marshal(callback, json.Deterministic(true))
}

// Sign gives the value of X-Trulioo-Signature for a body; "" without a Secret.
func (s *Sender) Sign(body []byte) string {
	if s.Secret == "" {
		return ""
	}
	mac := hmac.New(sha256.New, []byte(s.Secret))
	_, _ = mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// Handshake posts a url_verification with a challenge that a careless receiver changes,
// and says what was wrong with the answer.
func (s *Sender) Handshake(ctx context.Context, target string) error {
	challenge := rand.Text() + ` <é\"` + "\u2028" + `😀>`
	fields := map[string]string{"type": "url_verification", "challenge": challenge}
	if s.Token != "" {
		fields["token"] = s.Token
	}
	body, err := json.Marshal(fields, json.Deterministic(true))
	if err != nil {
		return err
	}
	got, err := s.post(ctx, target, body)
	if err != nil {
		return fmt.Errorf("truliootest: handshake: no answer: %w", err)
	}
	media, _, _ := mime.ParseMediaType(got.contentType)
	var echo struct {
		Challenge *string `json:"challenge"`
	}
	switch {
	case got.status == http.StatusUnauthorized:
		return errors.New("truliootest: handshake: status 401: " + notVerified)
	case got.status != http.StatusOK:
		return fmt.Errorf("truliootest: handshake: status %d instead of 200", got.status)
	case media != "application/json":
		return fmt.Errorf("truliootest: handshake: Content-Type %q instead of application/json", media)
	case json.Unmarshal(got.body, &echo) != nil:
		return errors.New("truliootest: handshake: the answer is not a JSON object with a challenge")
	case echo.Challenge == nil:
		return errors.New("truliootest: handshake: the answer has no challenge")
	case *echo.Challenge != challenge:
		return errors.New("truliootest: handshake: the challenge came back changed")
	}
	return nil
}

// receipt is a receiver's answer.
type receipt struct {
	status      int
	contentType string
	body        []byte
}

func (s *Sender) post(ctx context.Context, target string, body []byte) (receipt, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return receipt{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	if signature := s.Sign(body); signature != "" {
		req.Header.Set("X-Trulioo-Signature", signature)
	}
	resp, err := cmp.Or(s.HTTPClient, vendorClient).Do(req)
	if err != nil {
		return receipt{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return receipt{resp.StatusCode, resp.Header.Get("Content-Type"), answer}, err
}

var vendorClient = &http.Client{Timeout: 10 * time.Second}

// Disorder says how a list of events arrives by at-least-once delivery.
type Disorder struct {
	Duplicates float64 // the part of the events that is delivered twice, 0 to 1
	Shuffle    bool    // deliver in no order
	Concurrent int     // deliveries at once; 0 means 1
	Seed       uint64  // of the choices; the same seed chooses the same
}

// SendEvents sends events as SendEvent does, disordered. The error joins those
// of the events that were not acknowledged.
func (s *Sender) SendEvents(ctx context.Context, target string, events []*trulioo.Event, how Disorder) error {
	random := newRand(how.Seed, 0xe7e27)
	queue := slices.Clone(events)
	for _, ev := range events {
		if random.Float64() < how.Duplicates {
			queue = append(queue, ev)
		}
	}
	if how.Shuffle {
		random.Shuffle(len(queue), func(i, j int) { queue[i], queue[j] = queue[j], queue[i] })
	}
	slots := make(chan struct{}, max(how.Concurrent, 1))
	failed := make([]error, len(queue))
	sending, ctx := guard.NewGroup(ctx)
	for i, ev := range queue {
		slots <- struct{}{}
		sending.Start(func() error {
			defer func() { <-slots }()
			failed[i] = s.SendEvent(ctx, target, ev)
			return nil
		})
	}
	if err := sending.Wait(); err != nil {
		return err
	}
	return errors.Join(failed...)
}
