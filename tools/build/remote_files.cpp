#include "tools/build/remote_files.h"

#include <memory>
#include <mutex>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/http/http_client.h"

namespace lade::tools {
namespace {

class Files {
 public:
  explicit Files(std::stop_token stop) : stop_(std::move(stop)) {}

  build::UrlAnswer get(const build::UrlRequest& wanted) {
    Request request{.url = Url::parse(wanted.url)};
    if (!wanted.etag.empty()) request.headers.add("If-None-Match", wanted.etag);
    if (!wanted.last_modified.empty())
      request.headers.add("If-Modified-Since", wanted.last_modified);
    if (!wanted.authorization.empty()) request.headers.add("Authorization", wanted.authorization);
    const std::string shown = request.url.redacted();
    Response response = with_context([&] { return cat("get ", shown); },
                                     [&] { return client().send(std::move(request)); });
    if (response.status != 200 && response.status != 304) refuse(shown, response);
    const auto header = [&](std::string_view name) {
      return std::string(response.headers.first(name).value_or(""));
    };
    build::UrlAnswer answer{.not_modified = response.status == 304,
                            .etag = header("ETag"),
                            .last_modified = header("Last-Modified")};
    if (!answer.not_modified) answer.body = std::move(response.body);
    return answer;
  }

 private:
  HttpClient& client() {
    const std::scoped_lock lock(mutex_);
    if (!client_) {
      HttpOptions options;
      options.stop = stop_;
      client_ = std::make_unique<HttpClient>(std::move(options));
    }
    return *client_;
  }

  [[noreturn]] static void refuse(const std::string& url, const Response& response) {
    Errc code = Errc::unavailable;
    if (response.status == 401) code = Errc::unauthorized;
    if (response.status == 403) code = Errc::denied;
    if (response.status == 404 || response.status == 410) code = Errc::not_found;
    throw Error(code, cat("get ", url, ": the server answers ", response.status),
                HttpDetail{.status = response.status});
  }

  std::stop_token stop_;
  std::mutex mutex_;
  std::unique_ptr<HttpClient> client_;  // guarded by mutex_ until set
};

}  // namespace

build::FetchUrl make_fetch(const std::stop_token& stop) {
  const auto files = std::make_shared<Files>(stop);
  return [files](const build::UrlRequest& request) { return files->get(request); };
}

}  // namespace lade::tools
