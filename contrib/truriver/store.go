package truriver

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/trulioo-go/trulioo"
)

// storedID is the client's id as a column of text can hold it. PostgreSQL has no NUL
// character and no invalid UTF-8, and one such id must not stop its slice.
func storedID(id string) string {
	if strings.ContainsRune(id, 0) || !utf8.ValidString(id) || strings.HasPrefix(id, hexID) {
		return hexID + hex.EncodeToString([]byte(id))
	}
	return id
}

const hexID = "hex:"

// clientID is the id of which storedID has made the text.
func clientID(stored string) string {
	if raw, err := hex.DecodeString(strings.TrimPrefix(stored, hexID)); err == nil && strings.HasPrefix(stored, hexID) {
		return string(raw)
	}
	return stored
}

// querier is a pool or a transaction.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// errTaken means that another worker has begun a turn with the slice.
var errTaken = errors.New("truriver: another worker has taken the slice")

func failed(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("truriver: %s: %w", what, err)
}

func insertExport(ctx context.Context, tx pgx.Tx, exportID string, p *Plan, pieces []trulioo.Slice) error {
	plan, err := json.Marshal(p)
	if err != nil {
		return failed("plan", err)
	}
	tag, err := tx.Exec(ctx, "INSERT INTO trulioo_exports (id, plan) VALUES ($1, $2::text::json) ON CONFLICT DO NOTHING", exportID, string(plan))
	if err != nil || tag.RowsAffected() == 0 {
		return failed("insert the export", err)
	}
	for i, piece := range pieces {
		data, err := json.Marshal(piece)
		if err != nil {
			return failed("slice", err)
		}
		_, err = tx.Exec(ctx, "INSERT INTO trulioo_slices (export_id, number, slice, last) VALUES ($1, $2, $3::text::json, $4)",
			exportID, i, string(data), i == len(pieces)-1)
		if err != nil {
			return failed("insert a slice", err)
		}
	}
	return nil
}

func loadPlan(ctx context.Context, db querier, exportID string) (*Plan, error) {
	return scanPlan(db.QueryRow(ctx, "SELECT plan::text FROM trulioo_exports WHERE id = $1", exportID))
}

// lockPlan also keeps all other processes from deciding which slices can be worked on.
func lockPlan(ctx context.Context, tx pgx.Tx, exportID string) (*Plan, error) {
	return scanPlan(tx.QueryRow(ctx, "SELECT plan::text FROM trulioo_exports WHERE id = $1 FOR NO KEY UPDATE", exportID))
}

func scanPlan(row pgx.Row) (*Plan, error) {
	var text string
	p := new(Plan)
	err := row.Scan(&text)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, ErrNoExport
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), p)
	}
	return p, failed("read the plan", err)
}

// reopen gives the clients that failed another two passes.
func reopen(ctx context.Context, tx pgx.Tx, exportID string) error {
	_, err := tx.Exec(ctx, `UPDATE trulioo_slices s SET finished = false, passes = 1 WHERE export_id = $1 AND finished
		AND EXISTS (SELECT FROM trulioo_results r WHERE r.export_id = $1 AND r.slice = s.number AND r.error IS NOT NULL)`, exportID)
	return failed("reopen slices", err)
}

// workable are the unfinished slices: the last one only after all others have
// been listed.
func workable(ctx context.Context, tx pgx.Tx, exportID string, lastOnly bool) ([]int, error) {
	rows, err := tx.Query(ctx, `SELECT number FROM trulioo_slices WHERE export_id = $1 AND NOT finished AND (last OR NOT $2)
		AND NOT (last AND EXISTS (SELECT FROM trulioo_slices o WHERE o.export_id = $1 AND NOT o.last AND o.passes = 0))
		ORDER BY number`, exportID, lastOnly)
	if err != nil {
		return nil, failed("read the slices", err)
	}
	numbers, err := pgx.CollectRows(rows, pgx.RowTo[int])
	return numbers, failed("read the slices", err)
}

func loadStatus(ctx context.Context, db querier, exportID string) (Status, error) {
	var s Status
	err := db.QueryRow(ctx, `SELECT s.*, r.* FROM trulioo_exports,
		(SELECT count(*), count(*) FILTER (WHERE finished), coalesce(sum(gone), 0)::bigint,
			count(*) FILTER (WHERE (report ->> 'Proven')::boolean) FROM trulioo_slices WHERE export_id = $1) s,
		(SELECT count(profile), count(error) FROM trulioo_results WHERE export_id = $1) r
		WHERE id = $1`, exportID).Scan(&s.Slices, &s.Finished, &s.Gone, &s.Proven, &s.Done, &s.Failed)
	if errors.Is(err, pgx.ErrNoRows) {
		return s, ErrNoExport
	}
	return s, failed("status", err)
}

// sliceLease is a worker's hold of a slice. Its number fences: a later turn ends it.
type sliceLease struct {
	SliceArgs

	number   int64
	plan     *Plan
	slice    trulioo.Slice
	cursor   trulioo.Cursor
	passes   int
	finished bool
	have     map[string]bool // the ids of the slice in the results; false where it failed
	report   *trulioo.ExportReport
}

// takeTurn begins a turn. ErrNoExport means that the export has been deleted.
func takeTurn(ctx context.Context, db querier, args SliceArgs) (*sliceLease, error) {
	t := &sliceLease{SliceArgs: args, have: map[string]bool{}}
	var err error
	if t.plan, err = loadPlan(ctx, db, args.ExportID); err != nil {
		return nil, err
	}
	var slice, cursor string
	err = db.QueryRow(ctx, `UPDATE trulioo_slices SET turn = turn + 1 WHERE export_id = $1 AND number = $2
		RETURNING turn, slice::text, cursor::text, passes, finished`, args.ExportID, args.Slice).
		Scan(&t.number, &slice, &cursor, &t.passes, &t.finished)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, ErrNoExport
	}
	if err == nil {
		err = errors.Join(json.Unmarshal([]byte(slice), &t.slice), json.Unmarshal([]byte(cursor), &t.cursor))
	}
	if err != nil {
		return nil, failed("read the slice", err)
	}
	rows, err := db.Query(ctx, "SELECT client_id, error IS NULL FROM trulioo_results WHERE export_id = $1 AND slice = $2", args.ExportID, args.Slice)
	if err != nil {
		return nil, failed("read the results", err)
	}
	var id string
	var done bool
	_, err = pgx.ForEachRow(rows, []any{&id, &done}, func() error {
		t.have[clientID(id)] = done
		return nil
	})
	return t, failed("read the results", err)
}

// batch holds clients that are noted at once.
type batch struct {
	items   []*trulioo.ExportItem
	bytes   int
	cursor  trulioo.Cursor // after them; zero stays where it was
	deleted []string       // failed before, and not there any more
	gone    int            // deleted included
}

func (b *batch) add(item *trulioo.ExportItem) {
	b.items = append(b.items, item)
	if item.Profile != nil {
		b.bytes += len(item.Profile.Raw)
	}
}

// store notes a batch: all of it or, where the turn has ended, nothing.
func (t *sliceLease) store(ctx context.Context, tx pgx.Tx, b *batch) error {
	cursor := []byte("null")
	if !b.cursor.IsZero() {
		var err error
		if cursor, err = json.Marshal(b.cursor); err != nil {
			return failed("cursor", err)
		}
	}
	tag, err := tx.Exec(ctx, `UPDATE trulioo_slices SET gone = gone + $4,
		cursor = CASE WHEN $5::text = 'null' THEN cursor ELSE $5::text::json END
		WHERE export_id = $1 AND number = $2 AND turn = $3`, t.ExportID, t.Slice, t.number, b.gone, string(cursor))
	if err != nil {
		return failed("store the cursor", err)
	}
	if tag.RowsAffected() == 0 {
		return errTaken
	}
	if err := t.storeItems(ctx, tx, b.items); err != nil {
		return err
	}
	if len(b.deleted) > 0 {
		for i, id := range b.deleted {
			b.deleted[i] = storedID(id)
		}
		_, err = tx.Exec(ctx, "DELETE FROM trulioo_results WHERE export_id = $1 AND client_id = ANY($2) AND error IS NOT NULL", t.ExportID, b.deleted)
	}
	return failed("delete results", err)
}

// storeItems writes a row for each client, or over the one that is there: two slices
// can find a client that changes while the export runs. The newer row stays, but no
// failure replaces a profile.
func (t *sliceLease) storeItems(ctx context.Context, tx pgx.Tx, items []*trulioo.ExportItem) error {
	if len(items) == 0 {
		return nil
	}
	ids, profiles, errs := make([]string, len(items)), make([][]byte, len(items)), make([]*string, len(items))
	for i, item := range items {
		ids[i] = storedID(item.Client.ID)
		if item.Err != nil {
			text := strings.ToValidUTF8(strings.ReplaceAll(item.Err.Error(), "\x00", ""), "")
			errs[i] = &text
			continue
		}
		profiles[i] = item.Profile.Raw
	}
	_, err := tx.Exec(ctx, `INSERT INTO trulioo_results AS r (export_id, slice, client_id, profile, error)
		SELECT $1, $2, * FROM unnest($3::text[], $4::bytea[], $5::text[])
		ON CONFLICT (export_id, client_id) DO UPDATE SET slice = excluded.slice, profile = excluded.profile, error = excluded.error
		WHERE excluded.profile IS NOT NULL OR r.profile IS NULL`, t.ExportID, t.Slice, ids, profiles, errs)
	return failed("store results", err)
}

// endPass notes that every client of the slice has been tried, and gives how many
// have failed.
func (t *sliceLease) endPass(ctx context.Context, tx pgx.Tx) (failures int, err error) {
	err = tx.QueryRow(ctx, "SELECT count(*) FROM trulioo_results WHERE export_id = $1 AND slice = $2 AND error IS NOT NULL",
		t.ExportID, t.Slice).Scan(&failures)
	if err != nil {
		return 0, failed("count failures", err)
	}
	t.passes++
	t.finished = failures == 0 || t.passes >= maxPasses
	var report *string
	if t.report != nil {
		text, err := json.Marshal(t.report)
		if err != nil {
			return 0, failed("report", err)
		}
		report = new(string(text))
	}
	tag, err := tx.Exec(ctx, `UPDATE trulioo_slices SET passes = $4, finished = $5, report = coalesce($6::text::json, report)
		WHERE export_id = $1 AND number = $2 AND turn = $3`, t.ExportID, t.Slice, t.number, t.passes, t.finished, report)
	if err == nil && tag.RowsAffected() == 0 {
		return 0, errTaken
	}
	return failures, failed("end the pass", err)
}
