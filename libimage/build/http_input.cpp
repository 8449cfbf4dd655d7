// ADD of a file of an http server.
#include <fcntl.h>
#include <sys/stat.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/build/build_context.h"
#include "libimage/build/copy_inputs.h"
#include "libimage/digest/hasher.h"
#include "libimage/io/path.h"

namespace lade::build {
namespace {

constexpr std::string_view kFile = "file";
constexpr std::size_t kMaxValidator = 1024;

/// What is known of a URL's content since an earlier build.
struct Known {
  std::string sha256 = {};
  std::string etag = {};
  std::string last_modified = {};

  [[nodiscard]] std::string text() const {
    return cat("http 1\n", sha256, "\n", etag, "\n", last_modified, "\n");
  }
  static std::optional<Known> parse(std::string_view text) {
    const auto lines = split(text, '\n');
    if (lines.size() != 5 || lines[0] != "http 1" || lines[1].size() != 64) return std::nullopt;
    return Known{std::string(lines[1]), std::string(lines[2]), std::string(lines[3])};
  }
};

/// A header's value as it can be kept and sent again; "" if it is out of bounds.
std::string kept(const std::string& value) {
  const bool plain = value.size() <= kMaxValidator &&
                     value.find_first_of(std::string_view("\0\r\n", 3)) == std::string::npos;
  return plain ? value : std::string();
}

/// For the provenance: no signatures and no credentials.
std::string without_query(const std::string& url) {
  std::string out = url.substr(0, url.find_first_of("?#"));
  const std::size_t scheme = out.find("://") + 3;
  const std::size_t at = out.rfind('@', out.find('/', scheme));
  if (at != std::string::npos && at >= scheme) out.erase(scheme, at + 1 - scheme);
  return out;
}

class HttpInput final : public CopyInput {
 public:
  HttpInput(StageContext& stage, std::string url, const InputRules& rules)
      : stage_(stage), url_(std::move(url)), unpack_(rules.unpack == UnpackMode::always) {
    if (!rules.checksum.empty()) {
      const auto digest = Digest::try_parse(rules.checksum);
      if (!digest || digest->algorithm() != "sha256")
        throw Error(Errc::invalid_content,
                    cat("--checksum of a URL is sha256:HEX, not ", quoted(rules.checksum)));
      pinned_ = std::string(digest->encoded());
    }
    if (!stage_.run().services().fetch)
      throw Error(Errc::unsupported, "this build has no way to reach http servers");
  }

  void add_to(StepKey& key) override {
    find_out();
    stage_.run().add_material({without_query(url_), Digest::parse(cat("sha256:", known_.sha256))});
    stage_.run().note_network();
    key.add("http").add(known_.sha256).add(known_.last_modified).add(file_name_of_url(url_));
    key.add(unpack_ ? "unpack" : "");
  }

  const std::vector<FoundSource>& open() override {
    if (!found_.empty()) return found_;
    if (!room_) download({.url = url_});
    tree_ = std::make_unique<BuildContext>(open_dir(room_->fs_path()), IgnoreList(), "", nullptr);
    CopySource source{.path = std::string(kFile), .name = file_name_of_url(url_)};
    source.attributes = tree_->lookup(source.path).value();
    found_.push_back({.tree = tree_.get(), .source = std::move(source), .may_be_archive = unpack_});
    return found_;
  }

 private:
  std::string record_key() const { return StepKey("http").add(url_).str(); }

  /// Asks the server unless the answer is known: by the pinned content, or since this step began.
  void find_out() {
    if (!known_.sha256.empty()) return;
    LocalStore& store = stage_.run().services().store;
    UrlRequest request{.url = url_};
    if (!stage_.run().options().no_cache) {
      const std::optional<StepResult> record = store.step(record_key());
      const std::optional<Known> known = record ? Known::parse(record->note) : std::nullopt;
      if (known && !pinned_.empty() && known->sha256 == pinned_) {
        known_ = *known;
        return;
      }
      if (known) {
        request.etag = known->etag;
        request.last_modified = known->last_modified;
        known_ = *known;
      }
    }
    download(std::move(request));
  }

  void download(UrlRequest request) {
    request.authorization = authorization();
    UrlAnswer answer = stage_.run().services().fetch(request);
    if (answer.not_modified && !known_.sha256.empty()) {
      check_pinned();
      return;
    }
    if (!answer.body)
      throw Error(Errc::invalid_content, cat("the server has no content for ", quoted(url_)));
    known_ = {.etag = kept(answer.etag), .last_modified = kept(answer.last_modified)};
    room_ = stage_.run().services().store.workspace();
    const DirFd root = create_dir(room_->fs_path());
    UniqueFd file = open_in_root(root, kFile, O_WRONLY | O_CREAT | O_EXCL, 0600);
    FdSink sink(file.get(), "the download");
    known_.sha256 = receive(*answer.body, sink);
    check_pinned();
    const Timestamp time = parse_http_date(known_.last_modified).value_or(Timestamp{});
    const timespec when{time.seconds, static_cast<long>(time.nanoseconds)};
    const timespec times[] = {when, when};
    if (::fchmod(file.get(), 0600) != 0 || ::futimens(file.get(), times) != 0)
      throw_errno("set the time of the download");
    stage_.run().services().store.put_step({.key = record_key(), .note = known_.text()});
  }

  std::string receive(Source& body, Sink& out) {
    const std::uint64_t limit = stage_.run().options().max_download_bytes;
    std::vector<std::byte> buffer(kChunkBytes);
    Hasher hasher;
    std::uint64_t bytes = 0;
    for (;;) {
      if (stage_.stop().stop_requested()) throw Cancelled();
      const std::size_t got = body.read(buffer);
      if (got == 0) return std::string(hasher.digest().encoded());
      bytes += got;
      if (bytes > limit)
        throw Error(Errc::limit_exceeded, cat(quoted(url_), " has more than ", limit, " bytes"));
      hasher.update(ByteView(buffer).first(got));
      out.write(ByteView(buffer).first(got));
    }
  }

  void check_pinned() const {
    if (pinned_.empty() || pinned_ == known_.sha256) return;
    throw Error(Errc::digest_mismatch, cat("the content of ", quoted(url_),
                                           " is sha256:", known_.sha256, ", not sha256:", pinned_));
  }

  /// The secrets HTTP_AUTH_HEADER_host and HTTP_AUTH_TOKEN_host.
  [[nodiscard]] std::string authorization() const {
    constexpr std::uint64_t kMaxBytes = std::uint64_t{64} * 1024;
    const auto& secrets = stage_.run().options().secrets;
    for (const std::string_view scheme : {"", "Bearer "}) {
      const std::string_view prefix = scheme.empty() ? "HTTP_AUTH_HEADER_" : "HTTP_AUTH_TOKEN_";
      const auto given = secrets.find(cat(prefix, host_of_url(url_)));
      if (given == secrets.end()) continue;
      const std::string text = given->second.file.empty()
                                   ? given->second.value
                                   : read_file(given->second.file, kMaxBytes);
      return cat(scheme, trimmed(text));
    }
    return {};
  }

  StageContext& stage_;
  std::string url_;
  bool unpack_;
  std::string pinned_;  // hex
  Known known_;
  std::unique_ptr<LocalStore::Workspace> room_;
  std::unique_ptr<BuildContext> tree_;
  std::vector<FoundSource> found_;
};

}  // namespace

std::unique_ptr<CopyInput> http_input(StageContext& stage, const std::string& url,
                                      const InputRules& rules) {
  return std::make_unique<HttpInput>(stage, url, rules);
}

}  // namespace lade::build
