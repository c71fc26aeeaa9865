package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/trulioo-go/trulioo/bench/generated"
)

// machineMade is the generated client, with the transport that every contender needs.
type machineMade struct {
	client *generated.ClientWithResponses
}

func newGenerated(ctx context.Context, to api, concurrency int) (*machineMade, error) {
	bearer, err := token(ctx, to)
	if err != nil {
		return nil, err
	}
	client, err := generated.NewClientWithResponses(to.BaseURL+"/v2",
		generated.WithHTTPClient(&http.Client{Transport: transport(concurrency)}),
		generated.WithRequestEditorFn(func(_ context.Context, req *http.Request) error {
			req.Header.Set("Authorization", "Bearer "+bearer)
			return nil
		}))
	return &machineMade{client}, err
}

func (m *machineMade) get(ctx context.Context, id string, full, _ bool) error {
	var params *generated.GetClientParams
	if full {
		params = &generated.GetClientParams{IncludeFullServiceDetails: &full}
	}
	answer, err := m.client.GetClientWithResponse(ctx, id, params)
	if err != nil {
		return err
	}
	if answer.JSON200 == nil {
		return fmt.Errorf("status %d", answer.StatusCode())
	}
	return nil
}

// download takes the whole answer into memory, as all generated methods with a response
// do.
func (m *machineMade) download(ctx context.Context, key string, w io.Writer) error {
	answer, err := m.client.DownloadFileWithResponse(ctx, &generated.DownloadFileParams{Key: key})
	if err != nil {
		return err
	}
	if answer.StatusCode() != http.StatusOK {
		return fmt.Errorf("status %d", answer.StatusCode())
	}
	_, err = w.Write(answer.Body)
	return err
}

func (m *machineMade) export(ctx context.Context, concurrency int, full bool) (int, error) {
	return exportByHand(ctx, concurrency, m.page, func(ctx context.Context, id string) error { return m.get(ctx, id, full, false) })
}

func (m *machineMade) page(ctx context.Context, number int) ([]string, int, error) {
	limit := 50
	answer, err := m.client.ListClientsWithResponse(ctx, &generated.ListClientsParams{Limit: &limit, Page: &number})
	if err != nil {
		return nil, 0, err
	}
	if answer.JSON200 == nil || answer.JSON200.Data == nil {
		return nil, 0, errors.New("no page")
	}
	ids := make([]string, 0, limit)
	for _, row := range *answer.JSON200.Data {
		ids = append(ids, row.Id)
	}
	return ids, answer.JSON200.TotalPages, nil
}
