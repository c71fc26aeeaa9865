package truwatermill_test

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	wmnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/internal/loopback"
)

const (
	eventsTopic   = "events"
	profilesTopic = "profiles"
	poisonTopic   = "poison"
)

// patience bounds every wait of a test; no test asserts on time.
const patience = 30 * time.Second

// broker is a real one, on a free loopback port and in a temporary folder.
type broker interface {
	Name() string
	Address() string
	Start(t *testing.T) // again, after Stop, on the same port and files
	Stop(t *testing.T)
	Subscriber(t *testing.T) message.Subscriber // of a durable group that begins at the first message
	Stored(t *testing.T, topic string) []*message.Message
}

// brokers runs a test on each of them.
func brokers(t *testing.T, test func(*testing.T, broker)) {
	t.Helper()
	t.Run("JetStream", func(t *testing.T) {
		t.Parallel()
		test(t, newJetStream(t))
	})
	t.Run("Redis", func(t *testing.T) {
		t.Parallel()
		test(t, newRedis(t))
	})
}

// publisherTo makes the publisher of both the tests and the receiver's process.
func publisherTo(name, address string) (message.Publisher, error) {
	if name == "redis" {
		client := redis.NewClient(&redis.Options{Addr: address})
		return redisstream.NewPublisher(redisstream.PublisherConfig{Client: client}, nil)
	}
	return wmnats.NewPublisher(wmnats.PublisherConfig{
		URL: address,
		NatsOptions: []nats.Option{
			nats.MaxReconnects(-1), nats.ReconnectWait(50 * time.Millisecond),
			nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}), // the default one prints
		},
		JetStream: wmnats.JetStreamConfig{
			ConnectOptions: []nats.JSOpt{nats.MaxWait(2 * time.Second)},
			TrackMsgId:     true,
		},
	}, nil)
}

func publisher(t *testing.T, b broker) message.Publisher {
	t.Helper()
	p, err := publisherTo(b.Name(), b.Address())
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// jetStream is a NATS server in this process, with its streams in files.
type jetStream struct {
	options *server.Options
	server  *server.Server
}

func newJetStream(t *testing.T) *jetStream {
	t.Helper()
	address, err := loopback.Address(t.Context())
	require.NoError(t, err)
	b := &jetStream{options: &server.Options{
		Host: address.Addr().String(), Port: int(address.Port()), NoLog: true, NoSigs: true,
		JetStream: true, StoreDir: t.TempDir(),
	}}
	b.Start(t)
	t.Cleanup(func() { b.Stop(t) })
	js := b.context(t)
	for _, topic := range []string{eventsTopic, profilesTopic, poisonTopic} {
		_, err := js.AddStream(&nats.StreamConfig{
			Name: topic, Subjects: []string{topic}, Storage: nats.FileStorage, Duplicates: 2 * time.Minute,
		})
		require.NoError(t, err)
	}
	return b
}

func (b *jetStream) Name() string    { return "jetstream" }
func (b *jetStream) Address() string { return "nats://" + b.server.Addr().String() }

func (b *jetStream) Start(t *testing.T) {
	t.Helper()
	var err error
	b.server, err = server.NewServer(b.options)
	require.NoError(t, err)
	b.server.Start()
	require.True(t, b.server.ReadyForConnections(patience))
}

func (b *jetStream) Stop(*testing.T) {
	b.server.Shutdown()
	b.server.WaitForShutdown()
}

func (b *jetStream) context(t *testing.T) nats.JetStreamContext {
	t.Helper()
	conn, err := nats.Connect(b.Address())
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	js, err := conn.JetStream()
	require.NoError(t, err)
	return js
}

func (b *jetStream) Subscriber(t *testing.T) message.Subscriber {
	t.Helper()
	s, err := wmnats.NewSubscriber(wmnats.SubscriberConfig{
		URL: b.Address(), AckWaitTimeout: patience, QueueGroupPrefix: "workers",
		JetStream: wmnats.JetStreamConfig{
			DurablePrefix:    "workers",
			SubscribeOptions: []nats.SubOpt{nats.ManualAck(), nats.AckExplicit(), nats.DeliverAll()},
		},
	}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func (b *jetStream) Stored(t *testing.T, topic string) []*message.Message {
	t.Helper()
	js := b.context(t)
	info, err := js.StreamInfo(topic)
	require.NoError(t, err)
	if info.State.Msgs == 0 {
		return nil
	}
	sub, err := js.SubscribeSync(topic, nats.OrderedConsumer())
	require.NoError(t, err)
	var stored []*message.Message
	for range info.State.Msgs {
		raw, err := sub.NextMsg(patience)
		require.NoError(t, err)
		msg, err := (&wmnats.NATSMarshaler{}).Unmarshal(raw)
		require.NoError(t, err)
		stored = append(stored, msg)
	}
	return stored
}

// redisServer is a redis-server of the machine, which writes each message to a
// file before it confirms it.
type redisServer struct {
	program, folder string
	address         netip.AddrPort

	process *exec.Cmd
}

// newRedis skips the test where there is no redis-server, but not in CI.
func newRedis(t *testing.T) *redisServer {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") == "true" {
			require.NoError(t, err, "CI must have redis-server")
		}
		t.Skip("redis-server is not on the PATH; Debian's package of that name has it")
	}
	address, err := loopback.Address(t.Context())
	require.NoError(t, err)
	b := &redisServer{program: program, folder: t.TempDir(), address: address}
	b.Start(t)
	t.Cleanup(func() { b.Stop(t) })
	return b
}

func (b *redisServer) Name() string    { return "redis" }
func (b *redisServer) Address() string { return b.address.String() }

func (b *redisServer) Start(t *testing.T) {
	t.Helper()
	b.process = exec.Command(b.program, //nolint:noctx // found on the PATH, and ended by Stop
		"--bind", b.address.Addr().String(), "--port", strconv.Itoa(int(b.address.Port())), "--dir", b.folder, "--save", "", "--appendonly", "yes", "--appendfsync", "everysec")
	require.NoError(t, b.process.Start())
	client := redis.NewClient(&redis.Options{Addr: b.Address()})
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for client.Ping(ctx).Err() != nil {
		require.NoError(t, ctx.Err(), "redis-server answers")
		<-tick.C
	}
}

// Stop kills it, as a crash would: it gets no time to write anything more.
func (b *redisServer) Stop(*testing.T) {
	_ = b.process.Process.Kill()
	_ = b.process.Wait()
}

func (b *redisServer) client(t *testing.T) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: b.Address()})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func (b *redisServer) Subscriber(t *testing.T) message.Subscriber {
	t.Helper()
	s, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{
		Client: b.client(t), ConsumerGroup: "workers", NackResendSleep: 10 * time.Millisecond,
		DisableIndefiniteInitialBlock: true,
	}, watermill.NopLogger{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func (b *redisServer) Stored(t *testing.T, topic string) []*message.Message {
	t.Helper()
	entries, err := b.client(t).XRange(t.Context(), topic, "-", "+").Result()
	require.NoError(t, err)
	stored := make([]*message.Message, len(entries))
	for i, entry := range entries {
		stored[i], err = redisstream.DefaultMarshallerUnmarshaller{}.Unmarshal(entry.Values)
		require.NoError(t, err, strconv.Itoa(i))
	}
	return stored
}
