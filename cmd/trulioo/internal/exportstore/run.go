package exportstore

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/trulioo-go/trulioo"
)

// Job is one run of an export into a store.
type Job struct {
	Client      *trulioo.Client
	Account     string // whose people these are
	Store       Store
	Filter      trulioo.ClientFilter
	Concurrency int
	Details     bool // full service details
	Files       bool // uploaded files too
	Gone        bool // look for clients that are kept and no longer in the account
	DeleteGone  bool // and forget them
	OnProgress  func(trulioo.ExportProgress)
}

// Result is the outcome of a run, in clients.
type Result struct {
	New, Changed, Unchanged, Failed, Gone int

	Unproven string // why it is not proven that nobody is missing; "" where it is
}

// Run brings the store up to date. The error is the export's own; clients that
// failed are counted in Failed. Run leaves the store open.
func (j *Job) Run(ctx context.Context) (Result, error) {
	var result Result
	kept, err := j.kept(ctx)
	if err != nil {
		return result, err
	}
	var report trulioo.ExportReport
	options := j.options(kept)
	options.OnReport = func(r trulioo.ExportReport) { report = r }
	for item, err := range j.Client.Clients.Export(ctx, options) {
		if err != nil {
			return kept.count(result), err
		}
		if err := j.put(ctx, kept, item, &result); err != nil {
			return kept.count(result), err
		}
	}
	result = kept.count(result)
	if !report.Proven {
		result.Unproven = cmp.Or(report.Reason, "the export gives no reason")
	}
	if !j.Gone {
		return result, nil
	}
	return j.gone(ctx, kept, result)
}

// gone counts the clients that are kept and no longer listed, and forgets them where the
// list is proven to be whole: a client that a moving list has hidden is not gone.
func (j *Job) gone(ctx context.Context, kept *keptClients, result Result) (Result, error) {
	for id, was := range kept.clients {
		if was.seen {
			continue
		}
		result.Gone++
		if j.DeleteGone && result.Unproven == "" {
			if err := j.Store.Forget(ctx, id); err != nil {
				return result, err
			}
		}
	}
	return result, nil
}

// keptClients are the clients of a store at the start, and which of them are listed.
// Only the export's goroutine that calls Skip touches seen while it runs.
type keptClients struct {
	clients   map[string]*keptClient
	unchanged int
}

type keptClient struct {
	modified       int64 // UNIX time; 0 where it is not known
	details, files bool
	seen           bool
}

func (j *Job) kept(ctx context.Context) (*keptClients, error) {
	kept := &keptClients{clients: map[string]*keptClient{}}
	for r, err := range j.Store.Records(ctx) {
		if err != nil {
			return nil, err
		}
		if r.Account != j.Account {
			return nil, ErrAnotherAccount
		}
		was := &keptClient{details: r.Details, files: r.FilesSaved || r.Files == 0}
		if !r.LastModified.IsZero() {
			was.modified = r.LastModified.Unix()
		}
		kept.clients[r.ClientID] = was
	}
	return kept, nil
}

func (k *keptClients) count(r Result) Result {
	r.Unchanged = k.unchanged
	return r
}

func (j *Job) options(kept *keptClients) *trulioo.ExportOptions {
	return &trulioo.ExportOptions{
		Filter: j.Filter, Concurrency: j.Concurrency, FullServiceDetails: j.Details,
		Skip:       j.skip(kept),
		OnProfile:  j.Store.Save,
		OnProgress: j.OnProgress,
	}
}

func (j *Job) put(ctx context.Context, kept *keptClients, item *trulioo.ExportItem, result *Result) error {
	if disk(item.Err) != nil {
		return disk(item.Err)
	}
	if item.Err == nil && item.Profile.ID != item.Client.ID {
		item.Err = errors.New("the profile is another client's")
	}
	if item.Err != nil {
		result.Failed++
		return j.Store.Fail(ctx, item.Client.ID, item.Err.Error())
	}
	if _, known := kept.clients[item.Client.ID]; known {
		result.Changed++
	} else {
		result.New++
	}
	return j.Store.Put(ctx, NewRecord(j.Account, item.Client, item.Profile, j.Details), item.Profile)
}

// disk is the disk's error, if the disk failed: it would fail for every other client,
// too. Paths are left out where the error is printed.
func disk(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return at
	}
	if at, ok := errors.AsType[*os.LinkError](err); ok {
		return at
	}
	file, ok := errors.AsType[*trulioo.FileError](err)
	if !ok || fromServer(err) {
		return nil
	}
	return file
}

// fromServer reports whether the API failed, or the way to it.
func fromServer(err error) bool {
	return errors.As(err, new(*trulioo.APIError)) || errors.As(err, new(*trulioo.AuthError)) ||
		errors.As(err, new(*trulioo.TransportError)) || errors.As(err, new(*trulioo.DecodeError))
}
