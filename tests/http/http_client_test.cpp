#include "libimage/http/http_client.h"

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

#include "fake_server.h"

namespace lade {
namespace {

using test::FakeConnection;
using test::FakeRequest;
using test::FakeServer;

HttpOptions quick_options() {
  HttpOptions options;
  options.retry.sleep = [](std::chrono::milliseconds, const std::stop_token& stop) {
    return !stop.stop_requested();
  };
  return options;
}

Url at(const FakeServer& server, std::string_view path) {
  return Url::parse(cat(server.url(), path));
}

std::string text_of(Response response) { return read_all(*response.body, 1 << 20, "body"); }

class CountingSource final : public Source {
 public:
  explicit CountingSource(std::uint64_t size) : left_(size) {}
  std::size_t read(std::span<std::byte> out) override {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), left_));
    std::fill_n(out.begin(), count, std::byte{'x'});
    left_ -= count;
    return count;
  }

 private:
  std::uint64_t left_;
};

TEST(HttpClient, GetsWithStatusHeadersAndBody) {
  FakeServer server([](FakeRequest& request, FakeConnection& connection) {
    connection.respond(request, 200, {{"X-Answer", "yes"}, {"X-Answer", "twice"}}, "hello");
  });
  HttpClient client(quick_options());
  Response response = client.send({.url = at(server, "/a?b=c"), .headers = {{"X-Ask", "1"}}});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.headers.all("x-answer").size(), 2U);
  EXPECT_EQ(text_of(std::move(response)), "hello");
  EXPECT_EQ(server.requests().at(0).target, "/a?b=c");
  EXPECT_EQ(server.requests().at(0).header("x-ask"), "1");
  EXPECT_EQ(server.requests().at(0).header("user-agent"), "lade");
}

TEST(HttpClient, SendsBodiesWithEveryMethod) {
  std::vector<std::string> seen;
  FakeServer server([&](FakeRequest& request, FakeConnection& connection) {
    connection.read_body(request);
    seen.push_back(cat(request.method, " ", request.header("content-length"), " ", request.body));
    connection.respond(request, 201);
  });
  HttpClient client(quick_options());
  for (const char* method : {"POST", "PUT", "PATCH"}) {
    EXPECT_EQ(
        client.send({.method = method, .url = at(server, "/"), .body = RequestBody::of("abc")})
            .status,
        201);
    (void)client.send({.method = method, .url = at(server, "/")});
  }
  (void)client.send({.method = "DELETE", .url = at(server, "/")});
  EXPECT_EQ(seen, (std::vector<std::string>{"POST 3 abc", "POST 0 ", "PUT 3 abc", "PUT 0 ",
                                            "PATCH 3 abc", "PATCH 0 ", "DELETE  "}));
}

TEST(HttpClient, HeadHasHeadersOnly) {
  FakeServer server([](FakeRequest& request, FakeConnection& connection) {
    connection.respond(request, 200, {{"Content-Length", "1000"}});
  });
  HttpClient client(quick_options());
  Response response = client.send({.method = "HEAD", .url = at(server, "/")});
  EXPECT_EQ(response.headers.first("content-length"), "1000");
  EXPECT_EQ(text_of(std::move(response)), "");
}

TEST(HttpClient, ReusesConnections) {
  FakeServer server([](FakeRequest& request, FakeConnection& connection) {
    connection.respond(request, 200, {}, "hello");
  });
  HttpClient client(quick_options());
  for (int i = 0; i < 20; ++i) EXPECT_EQ(text_of(client.send({.url = at(server, "/")})), "hello");
  EXPECT_EQ(server.connections(), 1U);
}

TEST(HttpClient, StreamsABodyOfUnknownSize) {
  std::atomic<std::size_t> size{0};
  FakeServer server([&](FakeRequest& request, FakeConnection& connection) {
    connection.read_body(request);
    size = request.body.size();
    connection.respond(request, 202);
  });
  HttpClient client(quick_options());
  const auto exchange = client.start({.method = "PATCH", .url = at(server, "/")}, std::nullopt);
  CountingSource source(5'000'000);
  pump(source, *exchange);
  exchange->finish();
  EXPECT_EQ(exchange->response().status, 202);
  EXPECT_EQ(size, 5'000'000U);
  EXPECT_EQ(server.requests().at(0).header("transfer-encoding"), "chunked");
}

TEST(HttpClient, LearnsOfARefusalBeforeTheBodyIsSent) {
  FakeServer server(
      [](FakeRequest& request, FakeConnection& connection) { connection.respond(request, 401); });
  HttpClient client(quick_options());
  const auto exchange =
      client.start({.method = "PUT", .url = at(server, "/")}, std::uint64_t{1} << 40);
  std::vector<std::byte> chunk(kChunkBytes);
  std::uint64_t written = 0;
  while (!exchange->answered()) {
    exchange->write(chunk);
    written += chunk.size();
  }
  EXPECT_EQ(exchange->response().status, 401);
  EXPECT_LE(written, std::uint64_t{4} << 20);
}

TEST(HttpClient, HoldsBackAServerThatIsFasterThanTheReader) {
  std::atomic<std::uint64_t> sent{0};
  std::atomic<bool> ended{false};
  FakeServer server([&](FakeRequest&, FakeConnection& connection) {
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n");
    const std::string block(1 << 16, 'x');
    while (!ended && connection.send(block)) sent += block.size();
  });
  HttpClient client(quick_options());
  {
    Response response = client.send({.url = at(server, "/")});
    std::vector<std::byte> little(1000);
    EXPECT_EQ(read_full(*response.body, little), 1000U);
    std::uint64_t before = 1;
    while (before != sent) {  // until the server cannot send any more
      before = sent;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    EXPECT_LT(sent, std::uint64_t{32} << 20);  // our buffer and the kernel's
    std::vector<std::byte> more(40 << 20);
    EXPECT_EQ(read_full(*response.body, more), more.size());  // and it goes on when we do
  }
  ended = true;
}

TEST(HttpClient, ServesManyThreadsAtOnce) {
  FakeServer server([](FakeRequest& request, FakeConnection& connection) {
    connection.respond(request, 200, {}, request.path);
  });
  HttpClient client(quick_options());
  std::atomic<int> right{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 25; ++i) {
          const std::string path = cat("/", t, "/", i);
          right += text_of(client.send({.url = at(server, path)})) == path ? 1 : 0;
        }
      });
    }
  }
  EXPECT_EQ(right, 200);
  EXPECT_LE(server.connections(), 16U);
}

TEST(HttpClient, FollowsRedirectsAndSaysWhoAnswered) {
  FakeServer server([](FakeRequest& request, FakeConnection& connection) {
    if (request.path == "/a") {
      connection.respond(request, 302, {{"Location", "b/c?d=e"}}, "moved");
    } else {
      connection.respond(request, 200, {}, request.target);
    }
  });
  HttpClient client(quick_options());
  Response response = client.send({.url = at(server, "/a")});
  EXPECT_EQ(response.url.path, "/b/c");
  EXPECT_EQ(text_of(std::move(response)), "/b/c?d=e");
  EXPECT_EQ(server.connections(), 1U);
}

TEST(HttpClient, DropsAuthorizationForGoodWhenTheOriginChanges) {
  std::uint16_t home_port = 0;
  FakeServer away([&](FakeRequest& request, FakeConnection& connection) {
    connection.respond(request, 307, {{"Location", cat("http://127.0.0.1:", home_port, "/end")}});
  });
  FakeServer home([&](FakeRequest& request, FakeConnection& connection) {
    if (request.path == "/same") {
      connection.respond(request, 307, {{"Location", "/out"}});
    } else if (request.path == "/out") {
      connection.respond(request, 307, {{"Location", cat(away.url(), "/x")}});
    } else {
      connection.respond(request, 200);
    }
  });
  home_port = home.port();
  HttpClient client(quick_options());
  EXPECT_EQ(
      client.send({.url = at(home, "/same"), .headers = {{"Authorization", "Basic c2VjcmV0"}}})
          .status,
      200);
  const auto requests = home.requests();
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[0].header("authorization"), "Basic c2VjcmV0");
  EXPECT_EQ(requests[1].header("authorization"), "Basic c2VjcmV0");
  EXPECT_EQ(requests[2].header("authorization"), "");
  EXPECT_EQ(away.requests().at(0).header("authorization"), "");
}

TEST(HttpClient, RepeatsABodyAfterA307ButKeepsA302OfAPutForTheCaller) {
  FakeServer server([](FakeRequest& request, FakeConnection& connection) {
    connection.read_body(request);
    if (request.path == "/307") {
      connection.respond(request, 307, {{"Location", "/end"}});
    } else if (request.path == "/302") {
      connection.respond(request, 302, {{"Location", "/end"}});
    } else {
      connection.respond(request, 201, {}, request.body);
    }
  });
  HttpClient client(quick_options());
  EXPECT_EQ(text_of(client.send(
                {.method = "PUT", .url = at(server, "/307"), .body = RequestBody::of("abc")})),
            "abc");
  EXPECT_EQ(client.send({.method = "PUT", .url = at(server, "/302"), .body = RequestBody::of("a")})
                .status,
            302);
}

TEST(HttpClient, WaitsTogetherWhenAnOriginAsksForAPause) {
  std::atomic<int> count{0};
  FakeServer server([&](FakeRequest& request, FakeConnection& connection) {
    if (++count == 1) {
      connection.respond(request, 429, {{"Retry-After", "7"}});
    } else {
      connection.respond(request, 200);
    }
  });
  HttpOptions options = quick_options();
  std::vector<std::chrono::milliseconds> waits;
  options.retry.sleep = [&](std::chrono::milliseconds wait, const std::stop_token&) {
    waits.push_back(wait);
    return true;
  };
  HttpClient client(options);
  EXPECT_EQ(client.send({.url = at(server, "/")}).status, 200);
  EXPECT_EQ(client.send({.url = at(server, "/other")}).status, 200);
  ASSERT_EQ(waits.size(), 2U);  // the second request came before the pause was over
  EXPECT_GT(waits[0], std::chrono::seconds(6));
  EXPECT_LE(waits[0], std::chrono::seconds(7));
}

TEST(HttpClient, StopsWaitingWhenCancelled) {
  FakeServer server([](FakeRequest& request, FakeConnection& connection) {
    if (request.path == "/body") connection.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
    connection.hang();
  });
  for (const char* path : {"/headers", "/body"}) {
    std::stop_source stop;
    HttpOptions options = quick_options();
    options.stop = stop.get_token();
    HttpClient client(options);
    const std::jthread canceller([&] {
      while (server.requests().empty()) std::this_thread::yield();
      stop.request_stop();
    });
    EXPECT_THROW(text_of(client.send({.url = at(server, path)})), Cancelled) << path;
    EXPECT_THROW((void)client.send({.url = at(server, path)}), Cancelled) << path;
  }
}

TEST(HttpClient, CleansUpWithARequestThatCancellingDoesNotStop) {
  FakeServer server(
      [](FakeRequest& request, FakeConnection& connection) { connection.respond(request, 204); });
  std::stop_source stop;
  stop.request_stop();
  HttpOptions options = quick_options();
  options.stop = stop.get_token();
  HttpClient client(options);
  EXPECT_EQ(
      client.send({.method = "DELETE", .url = at(server, "/"), .stop = std::stop_token()}).status,
      204);
}

TEST(HttpClient, MayBeDestroyedBeforeAnAnswersBody) {
  FakeServer server([](FakeRequest& request, FakeConnection& connection) {
    connection.respond(request, 200, {}, "still here");
  });
  Response response;
  {
    HttpClient client(quick_options());
    response = client.send({.url = at(server, "/")});
  }
  EXPECT_EQ(text_of(std::move(response)), "still here");
}

}  // namespace
}  // namespace lade
