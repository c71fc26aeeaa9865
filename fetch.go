package trulioo

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// How many more calls are made where the core's retries have not helped.
	throttledCalls = 8 // the server says that there are too many requests
	refusedCalls   = 3 // the token was revoked again before the replay
	brokenLists    = 3 // a list that fails ends the export
	brokenProfiles = 1

	largeBody = 32 << 10 // bytes
)

// fetchAll is a worker: it fills the entries that come.
func (x *export) fetchAll(ctx context.Context, cancel context.CancelFunc) {
	for e := range x.work {
		if ctx.Err() != nil {
			return
		}
		if err := x.fetch(ctx, e); err != nil {
			if ctx.Err() == nil {
				select {
				case x.fatal <- err:
				default: // another worker was first
				}
			}
			cancel()
			return
		}
		close(e.done)
	}
}

// fetch fills the entry. An error is the end of ctx, or one that would meet every
// other client too.
func (x *export) fetch(ctx context.Context, e *entry) error {
	profile, err := x.get(ctx, e.item.Client.ID)
	var auth *AuthError
	var api *APIError
	switch {
	case err == nil:
		e.item.Profile = profile
		return x.handle(ctx, e)
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &auth), errors.Is(err, ErrUnauthorized):
		return err
	case errors.Is(err, ErrNotFound):
		e.gone = true
		return nil
	case errors.As(err, &api) && errors.Is(err, ErrRateLimited) && api.RetryAfter > x.client.config.policy().MaxRetryAfter:
		return err
	}
	e.item.Err = &ExportError{Operation: routes.client.operation, ClientID: e.item.Client.ID, cause: err}
	return nil
}

// get is ClientsService.Get, held to the pace. The place of a large profile is given
// on as soon as its body is there, since decoding it takes a while; that of a small
// one with it, when its connection is sure to be free again.
func (x *export) get(ctx context.Context, id string) (*Profile, error) {
	for try := 0; ; try++ {
		if err := x.gate.Acquire(ctx); err != nil {
			return nil, err
		}
		release := sync.OnceFunc(x.gate.Release)
		profile, err := x.client.Clients.profile(ctx, id, x.FullServiceDetails, func(size int) {
			if size > largeBody {
				release()
			}
		})
		release()
		if err == nil {
			return profile, nil
		}
		if !x.client.again(ctx, err, try, brokenProfiles) {
			return nil, err
		}
	}
}

// handle lets the caller work on the profile, in a place of its own.
func (x *export) handle(ctx context.Context, e *entry) error {
	if x.OnProfile == nil {
		return nil
	}
	if err := x.gate.Acquire(ctx); err != nil {
		return err
	}
	defer x.gate.Release()
	err := x.OnProfile(ctx, x.client, e.item.Profile)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		e.item.Err = &ExportError{Operation: "handle profile", ClientID: e.item.Client.ID, cause: err}
	}
	return nil
}

// again waits for a while and reports whether another call may help where the
// retries of the core did not. broken is how many more a broken connection or
// server deserves; none where the caller has turned retries off.
func (c *Client) again(ctx context.Context, err error, try, broken int) bool {
	policy := c.config.policy()
	var auth *AuthError
	var api *APIError
	var network *TransportError
	most := 0
	switch {
	case errors.As(err, &auth):
	case errors.As(err, &api) && api.RetryAfter > policy.MaxRetryAfter:
	case errors.Is(err, ErrConflict), errors.Is(err, ErrRateLimited):
		most = throttledCalls
	case errors.Is(err, ErrUnauthorized):
		most = refusedCalls
	case policy.MaxAttempts > 1 && (errors.As(err, &network) || errors.Is(err, ErrServer) || errors.Is(err, io.ErrUnexpectedEOF)):
		most = broken
	}
	if try >= most {
		return false
	}
	bound := min(policy.MinWait<<min(try, 20), policy.MaxWait)
	return pause(ctx, rand.N(bound)+1) //nolint:gosec // jitter, no secret
}

// pause waits, and reports whether ctx let it.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
