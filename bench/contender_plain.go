package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// byHand is net/http and encoding/json, into structs that hold the whole answer.
type byHand struct {
	client *http.Client
	query  string // the address that the version's paths are below
	bearer string
}

func newByHand(ctx context.Context, to api, concurrency int) (*byHand, error) {
	bearer, err := token(ctx, to)
	return &byHand{&http.Client{Transport: transport(concurrency)}, to.BaseURL + "/v2/query/", "Bearer " + bearer}, err
}

// transport keeps as many connections as requests run at once. The default keeps two.
func transport(concurrency int) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConns = 0
	t.MaxIdleConnsPerHost = concurrency + listers
	return t
}

func (b *byHand) get(ctx context.Context, id string, full, _ bool) error {
	path := "client/" + url.PathEscape(id)
	if full {
		path += "?includeFullServiceDetails=true"
	}
	return b.json(ctx, path, &plainProfile{})
}

func (b *byHand) json(ctx context.Context, path string, v any) error {
	resp, err := b.send(ctx, path) //nolint:bodyclose // drain closes it
	if err != nil {
		return err
	}
	defer drain(resp.Body)
	return json.NewDecoder(resp.Body).Decode(v)
}

func (b *byHand) send(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.query+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", b.bearer)
	resp, err := b.client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		drain(resp.Body)
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	return resp, nil
}

func (b *byHand) download(ctx context.Context, key string, w io.Writer) error {
	resp, err := b.send(ctx, "file?key="+url.QueryEscape(key)) //nolint:bodyclose // drain closes it
	if err != nil {
		return err
	}
	defer drain(resp.Body)
	_, err = io.Copy(w, resp.Body)
	return err
}

func (b *byHand) export(ctx context.Context, concurrency int, full bool) (int, error) {
	return exportByHand(ctx, concurrency, b.page, func(ctx context.Context, id string) error { return b.get(ctx, id, full, false) })
}

func (b *byHand) page(ctx context.Context, number int) ([]string, int, error) {
	var page struct {
		TotalPages int           `json:"totalPages"`
		Data       []plainClient `json:"data"`
	}
	if err := b.json(ctx, "clients?limit=50&page="+strconv.Itoa(number), &page); err != nil {
		return nil, 0, err
	}
	ids := make([]string, 0, len(page.Data))
	for _, row := range page.Data {
		ids = append(ids, row.ID)
	}
	return ids, page.TotalPages, nil
}

// The structs that one writes from the vendor's page, without any tolerance.
type (
	plainClient struct {
		ID                    string   `json:"id"`
		OwnerIDs              []string `json:"ownerIds"`
		Created               int64    `json:"created"`
		LastModified          int64    `json:"lastModified"`
		ProfileType           string   `json:"profileType"`
		Status                string   `json:"status"`
		StatusManuallyChanged bool     `json:"statusManuallyChanged"`
		User                  string   `json:"user"`
	}
	plainProfile struct {
		plainClient
		FlowData map[string]plainFlow `json:"flowData"`
		Notes    []plainTask          `json:"notes"`
		Tasks    []plainTask          `json:"tasks"`
	}
	plainFlow struct {
		ID               string                `json:"id"`
		Completed        bool                  `json:"completed"`
		FieldData        map[string]plainField `json:"fieldData"`
		FileData         map[string]string     `json:"fileData"`
		EnhancedFileData map[string][]string   `json:"enhancedFileData"`
		ServiceData      []plainService        `json:"serviceData"`
	}
	plainField struct {
		ID             string   `json:"id"`
		Name           string   `json:"name"`
		Value          []string `json:"value"`
		Role           string   `json:"role"`
		NormalizedName string   `json:"normalizedName"`
	}
	plainService struct {
		Timestamp       int64  `json:"timestamp"`
		ServiceStatus   string `json:"serviceStatus"`
		NodeID          string `json:"nodeId"`
		NodeTitle       string `json:"nodeTitle"`
		NodeType        string `json:"nodeType"`
		Match           *bool  `json:"match"`
		TransactionInfo struct {
			AccountName         string `json:"accountName"`
			AccountIdentifier   string `json:"accountIdentifier"`
			CountryCode         string `json:"countryCode"`
			Date                string `json:"date"`
			ShareableToken      string `json:"shareableToken"`
			TransactionID       string `json:"transactionId"`
			TransactionRecordID string `json:"transactionRecordId"`
			UserName            string `json:"userName"`
		} `json:"transactionInfo"`
		FullServiceDetails *plainDetails `json:"fullServiceDetails"`
		SecondaryMatch     *bool         `json:"secondaryMatch"`
		WatchlistResults   map[string]struct {
			WatchlistStatus     string `json:"watchlistStatus"`
			WatchlistHitDetails struct {
				Watchlist    int `json:"wlHitsNumber"`
				AdverseMedia int `json:"amHitsNumber"`
				PEP          int `json:"pepHitsNumber"`
			} `json:"watchlistHitDetails"`
		} `json:"watchlistResults"`
	}
	plainTask struct {
		ID        string    `json:"id"`
		Text      string    `json:"text"`
		Resolved  bool      `json:"resolved"`
		CreatedBy string    `json:"createdBy"`
		UpdatedBy string    `json:"updatedBy"`
		Created   time.Time `json:"created"`
		Updated   time.Time `json:"updated"`
	}
	plainDetails struct {
		TransactionID     string       `json:"TransactionID"`
		UploadedDt        string       `json:"UploadedDt"`
		CompletedDt       string       `json:"CompletedDt"`
		CountryCode       string       `json:"CountryCode"`
		ProductName       string       `json:"ProductName"`
		UserGUID          string       `json:"UserGUID"`
		AccountIdentifier string       `json:"AccountIdentifier"`
		Errors            []plainError `json:"Errors"`
		InputFields       []struct {
			FieldName string `json:"FieldName"`
			Value     string `json:"Value"`
		} `json:"InputFields"`
		Record struct {
			TransactionRecordID string        `json:"TransactionRecordID"`
			RecordStatus        string        `json:"RecordStatus"`
			Errors              []plainError  `json:"Errors"`
			Rule                plainRule     `json:"Rule"`
			SupplementaryRules  []plainRule   `json:"SupplementaryRules"`
			DatasourceResults   []plainSource `json:"DatasourceResults"`
		} `json:"Record"`
	}
	plainRule struct {
		RuleName string `json:"RuleName"`
		Note     string `json:"Note"`
	}
	plainSource struct {
		DatasourceName   string `json:"DatasourceName"`
		DatasourceFields []struct {
			FieldName string `json:"FieldName"`
			Status    string `json:"Status"`
		} `json:"DatasourceFields"`
		AppendedFields []struct {
			FieldName string `json:"FieldName"`
			Data      any    `json:"Data"`
		} `json:"AppendedFields"`
		Errors      []plainError `json:"Errors"`
		FieldGroups []any        `json:"FieldGroups"`
	}
	plainError struct {
		Code    any    `json:"Code"`
		Message string `json:"Message"`
	}
)
