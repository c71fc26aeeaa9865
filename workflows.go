package trulioo

import (
	"cmp"
	"context"
	"iter"
)

// WorkflowsService asks about the workflows of the account.
//
//trulioo:redact fmt
type WorkflowsService struct{ client *Client }

// ListOptions choose a page of workflows.
type ListOptions struct {
	Limit int // rows on a page, 1 to 50; 0 means the server's default of 20, and 50 for All
	Page  int // from 0; All begins with it
}

// List gets one page of the workflows. opts may be nil.
//
// Operation: GET query/workflows
func (s *WorkflowsService) List(ctx context.Context, opts *ListOptions) (*Page[Workflow], error) {
	o := deref(opts)
	if err := checkPaging("ListOptions", o.Limit, o.Page); err != nil {
		return nil, err
	}
	return listPage(ctx, s.client, s.client.config.dialect.workflows(), pagingQuery(o.Limit, o.Page), workflowOf)
}

// All iterates over the workflows, page after page, one page ahead of the
// caller. An error ends it. A row can be missed or come twice where workflows
// are added or removed meanwhile.
func (s *WorkflowsService) All(ctx context.Context, opts *ListOptions) iter.Seq2[*Workflow, error] {
	o := deref(opts)
	o.Limit = cmp.Or(o.Limit, maxLimit)
	return all[Workflow](ctx, routes.workflows.operation, o.Page, func(ctx context.Context, number int) (*Page[Workflow], error) {
		return s.List(ctx, &ListOptions{Limit: o.Limit, Page: number})
	})
}

// deref copies options, so that a later change by the caller has no effect.
func deref[T any](opts *T) T {
	if opts == nil {
		return *new(T)
	}
	return *opts
}
