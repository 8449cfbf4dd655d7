// skopeo experimental-image-proxy: images for programs that store them in ways of their own
// (bootc, rpm-ostree), over a socket that they pass. Protocol 0.2.8, skopeo-experimental-image-
// proxy(1).
#include <algorithm>
#include <array>
#include <limits>
#include <list>
#include <map>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/image/select.h"

#include "tools/common/proxy_channel.h"
#include "tools/compat/go_log.h"
#include "tools/compat/skopeo_commands.h"
#include "tools/compat/skopeo_image.h"

namespace lade::tools::compat {
namespace {

using templates::Value;
using templates::ValueList;
using templates::ValueRecord;
using Arguments = std::vector<Value>;

constexpr std::string_view kProtocolVersion = "0.2.8";
constexpr std::int64_t kLargestInteger = (std::int64_t{1} << 53U) - 1;  // exact in every client
constexpr std::int64_t kNoImage = 0;

std::string type_of(const Value& value) {
  return value.as<std::int64_t>() != nullptr ? "float64" : value.unboxed().type_name();
}

std::int64_t integer_argument(const Value& value) {
  const auto* number = value.as<std::int64_t>();
  if (number == nullptr) throw Fatal(cat("expecting numeric, not ", type_of(value)));
  if (*number < 0 || *number > kLargestInteger)
    throw Fatal(cat("out of range integer for numeric ", *number));
  return *number;
}

Digest digest_argument(const Value& value) {
  if (value.text() == nullptr) throw Fatal("expecting string blobid");
  const auto digest = Digest::try_parse(*value.text());
  if (!digest) throw Fatal("invalid checksum digest format");
  return *digest;
}

void expect(const Arguments& arguments, std::size_t count, std::string_view names) {
  if (arguments.size() == count) return;
  throw Fatal(cat("found ", arguments.size(), " args, expecting (", names, ")"));
}

/// One image that the client has open.
struct OpenImage {
  std::unique_ptr<Reader> reader;
  oci::Document document;
  [[nodiscard]] const oci::Manifest& manifest() const {
    return std::get<oci::Manifest>(document.parsed);
  }
  [[nodiscard]] oci::ImageConfig config() const { return image::read_config(*reader, manifest()); }
};

/// Reads a text of its own.
class TextSource final : public lade::Source {
 public:
  explicit TextSource(std::string text) : text_(std::move(text)), source_(text_) {}
  std::size_t read(std::span<std::byte> out) override { return source_.read(out); }

 private:
  std::string text_;
  StringSource source_;
};

/// A blob of an image that may be closed before it is read.
class BlobSource final : public lade::Source {
 public:
  BlobSource(std::shared_ptr<const OpenImage> image, std::unique_ptr<lade::Source> blob)
      : image_(std::move(image)), blob_(std::move(blob)) {}
  std::size_t read(std::span<std::byte> out) override { return blob_->read(out); }

 private:
  std::shared_ptr<const OpenImage> image_;
  std::unique_ptr<lade::Source> blob_;
};

struct Reply {
  Value value = Value::nil();
  std::uint32_t pipe = 0;
  std::vector<UniqueFd> fds = {};
};

std::string reply_json(const Reply& reply, const ProxyFailure& failure) {
  const bool success = failure.code.empty();
  return templates::to_json(
      Value::of(ValueRecord{
          .type = "reply",
          .fields = {{.name = "success", .value = Value::of(success)},
                     {.name = "value", .value = reply.value},
                     {.name = "pipeid", .value = Value::of(static_cast<std::int64_t>(reply.pipe))},
                     {.name = "error_code", .value = Value::of(failure.code)},
                     {.name = "error", .value = Value::of(failure.message)}}}),
      {.escape_html = true});
}

class Proxy {
 public:
  explicit Proxy(const Invocation& invocation)
      : forward_(invocation.stop, Forward{&stop_source_}),
        invocation_{.flags = invocation.flags,
                    .environment = invocation.environment,
                    .stop = stop_source_.get_token()},
        stop_(stop_source_.get_token()) {}
  ~Proxy() { stop_source_.request_stop(); }  // whoever still writes to a pipe
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  /// Answers until the client goes, or says so.
  void serve(UniqueFd socket) {
    PacketSocket packets(std::move(socket), stop_);
    while (const auto packet = packets.receive()) {
      raw_pipes_.remove_if([](const auto& pipe) { return pipe->is_done(); });
      Reply reply;
      ProxyFailure failure;
      try {
        std::string method;
        const Arguments arguments = read_request(*packet, method);
        log(Level::debug, cat("Executing method ", method));
        if (method == "Shutdown") return;
        reply = call(method, arguments);
      } catch (const Cancelled&) {
        throw;
      } catch (const std::exception&) {
        failure = proxy_failure(std::current_exception());
      }
      packets.send(reply_json(reply, failure), reply.fds);
    }
  }

 private:
  struct Forward {
    std::stop_source* source;
    void operator()() const noexcept { source->request_stop(); }
  };
  using Method = Reply (Proxy::*)(const Arguments&);

  static Arguments read_request(const std::string& packet, std::string& method) {
    Value request;
    try {
      request = templates::from_json(packet);
    } catch (const Error& e) {
      throw Fatal(cat("invalid request: ", e.what()));
    }
    const auto* members = request.map();
    if (members == nullptr) throw Fatal("invalid request: expecting an object");
    const auto found = members->entries.find("method");
    if (found != members->entries.end() && found->second.text() != nullptr)
      method = *found->second.text();
    const auto arguments = members->entries.find("args");
    if (arguments == members->entries.end() || arguments->second.list() == nullptr) return {};
    return arguments->second.list()->items;
  }

  Reply call(const std::string& method, const Arguments& arguments) {
    struct Entry {
      std::string_view name;
      Method method;
    };
    static constexpr std::array<Entry, 12> kMethods = {
        {{"Initialize", &Proxy::initialize},
         {"OpenImage", &Proxy::open_image},
         {"OpenImageOptional", &Proxy::open_image_optional},
         {"CloseImage", &Proxy::close_image},
         {"GetManifest", &Proxy::get_manifest},
         {"GetConfig", &Proxy::get_config},
         {"GetFullConfig", &Proxy::get_full_config},
         {"GetBlob", &Proxy::get_blob},
         {"GetRawBlob", &Proxy::get_raw_blob},
         {"GetLayerInfo", &Proxy::get_layer_info},
         {"GetLayerInfoPiped", &Proxy::get_layer_info_piped},
         {"FinishPipe", &Proxy::finish_pipe}}};
    const auto* const found = std::find_if(kMethods.begin(), kMethods.end(),
                                           [&](const Entry& e) { return e.name == method; });
    if (found == kMethods.end()) throw Fatal(cat("unknown method: ", method));
    if (!session_ && method != "Initialize") throw Fatal("client error: must invoke Initialize");
    return (this->*found->method)(arguments);
  }

  Reply initialize(const Arguments& arguments) {
    if (!arguments.empty()) throw Fatal("invalid request, expecting zero arguments");
    if (session_) throw Fatal("already initialized");
    policy_ = load_policy(invocation_);
    session_ = open_session(invocation_, "", &warnings_);
    return {.value = Value::of(std::string(kProtocolVersion))};
  }

  Reply open_image(const Arguments& arguments) {
    if (arguments.size() != 1) throw Fatal("invalid request, expecting one argument");
    const std::string* text = arguments.front().text();
    if (text == nullptr)
      throw Fatal(cat("expecting string imageref, not ", type_of(arguments.front())));
    const ImageName name = parse_name(*text);
    Source source = open_source(name, *session_, "");
    check_source(invocation_, policy_, name);
    oci::Document document = manifest_document(wanted_platform(invocation_.flags), source, "");
    images_.emplace(++last_image_,
                    std::make_shared<OpenImage>(OpenImage{.reader = std::move(source.reader),
                                                          .document = std::move(document)}));
    return {.value = Value::of(last_image_)};
  }

  Reply open_image_optional(const Arguments& arguments) {
    try {
      return open_image(arguments);
    } catch (const Fatal& e) {
      if (e.status() != kNotFoundStatus) throw;
      return {.value = Value::of(kNoImage)};
    }
  }

  Reply close_image(const Arguments& arguments) {
    images_.erase(image_argument(arguments).first);
    return {};
  }

  /// As OCI, whatever it is; the digest is that of the image as it is stored.
  Reply get_manifest(const Arguments& arguments) {
    const auto image = image_argument(arguments).second;
    const oci::Document& document = image->document;
    const bool docker = document.descriptor.media_type == oci::kDockerManifest;
    Reply reply = piped(docker ? oci::serialise(oci::converted(image->manifest(), oci::Family::oci))
                               : document.raw);
    reply.value = Value::of(document.descriptor.digest.str());
    return reply;
  }

  Reply get_full_config(const Arguments& arguments) {
    return piped(json_of(config_value(image_argument(arguments).second->config())));
  }

  /// What those who run the image need of it.
  Reply get_config(const Arguments& arguments) {
    return piped(json_of(execution_value(image_argument(arguments).second->config().config)));
  }

  Reply get_layer_info_piped(const Arguments& arguments) {
    return piped(json_of(layers_of(*image_argument(arguments).second)));
  }

  Reply get_layer_info(const Arguments& arguments) {
    Reply reply{.value = layers_of(*image_argument(arguments).second)};
    if (reply_json(reply, {}).size() > kMaxProxyPacket)
      throw Fatal("too many layers for one message: use GetLayerInfoPiped");
    return reply;
  }

  Reply get_blob(const Arguments& arguments) {
    expect(arguments, 3, "imgid, digest, size");
    const auto image = image_of(arguments[0]);
    const oci::Descriptor blob{.media_type = {},
                               .digest = digest_argument(arguments[1]),
                               .size = static_cast<std::uint64_t>(integer_argument(arguments[2]))};
    Reply reply = start_pipe(std::make_unique<BlobSource>(image, image->reader->open(blob)));
    reply.value = Value::of(static_cast<std::int64_t>(blob.size));
    return reply;
  }

  Reply get_raw_blob(const Arguments& arguments) {
    expect(arguments, 2, "imgid, digest");
    const auto image = image_of(arguments[0]);
    const Digest digest = digest_argument(arguments[1]);
    const oci::Descriptor blob{
        .media_type = {}, .digest = digest, .size = size_of_blob(*image, digest)};
    auto pipe = std::make_unique<FilledPipe>(
        std::make_unique<BlobSource>(image, image->reader->open_at(blob, 0)),
        FilledPipe::Report::pipe, stop_);
    Reply reply{.value = Value::of(static_cast<std::int64_t>(blob.size)),
                .fds = pipe->take_read_ends()};
    raw_pipes_.push_back(std::move(pipe));
    return reply;
  }

  Reply finish_pipe(const Arguments& arguments) {
    expect(arguments, 1, "pipeid");
    const std::int64_t id = integer_argument(arguments.front());
    const auto found = pipes_.find(id);
    if (found == pipes_.end()) throw Fatal(cat("finishpipe: no active pipe ", id));
    const std::unique_ptr<FilledPipe> pipe = std::move(found->second);
    pipes_.erase(found);
    pipe->finish();
    return {};
  }

  /// The id and the image of the only argument.
  std::pair<std::int64_t, std::shared_ptr<OpenImage>> image_argument(const Arguments& arguments) {
    if (arguments.size() != 1) throw Fatal("invalid request, expecting one argument");
    return {integer_argument(arguments.front()), image_of(arguments.front())};
  }

  std::shared_ptr<OpenImage> image_of(const Value& argument) {
    const std::int64_t id = integer_argument(argument);
    if (id == kNoImage) throw Fatal("Invalid imageid value of zero");
    const auto found = images_.find(id);
    if (found == images_.end()) throw Fatal(cat("no image ", id));
    return found->second;
  }

  static std::string json_of(const Value& value) {
    return templates::to_json(value, {.escape_html = true});
  }

  /// What GetBlob can be asked for: not always what the manifest lists.
  static Value layers_of(const OpenImage& image) {
    ValueList list{.items = {}, .element_type = "convertedLayerInfo"};
    for (const oci::Descriptor& layer : image.manifest().layers) {
      const oci::Descriptor served = image.reader->served_as(layer);
      list.items.push_back(Value::of(ValueRecord{
          .type = "convertedLayerInfo",
          .fields = {{.name = "digest", .value = Value::of(served.digest.str())},
                     {.name = "size", .value = Value::of(static_cast<std::int64_t>(served.size))},
                     {.name = "media_type", .value = Value::of(std::string(served.media_type))}}}));
    }
    return Value::of(std::move(list));
  }

  static std::uint64_t size_of_blob(OpenImage& image, const Digest& digest) {
    const oci::Manifest& manifest = image.manifest();
    if (manifest.config.digest == digest) return manifest.config.size;
    for (const oci::Descriptor& layer : manifest.layers) {
      const oci::Descriptor served = image.reader->served_as(layer);
      if (served.digest == digest) return served.size;
    }
    const auto size = image.reader->size_of(digest);
    if (!size) throw Error(Errc::not_found, cat("no blob ", digest.str()));
    return *size;
  }

  Reply piped(std::string text) {
    return start_pipe(std::make_unique<TextSource>(std::move(text)));
  }

  Reply start_pipe(std::unique_ptr<lade::Source> source) {
    auto pipe = std::make_unique<FilledPipe>(std::move(source), FilledPipe::Report::finish, stop_);
    Reply reply{.pipe = ++last_pipe_, .fds = pipe->take_read_ends()};
    pipes_.emplace(last_pipe_, std::move(pipe));
    return reply;
  }

  std::stop_source stop_source_;
  std::stop_callback<Forward> forward_;
  Invocation invocation_;
  StopEvent stop_;
  WarningLog warnings_;
  Policy policy_;
  std::unique_ptr<Session> session_;
  std::int64_t last_image_ = kNoImage;
  std::map<std::int64_t, std::shared_ptr<OpenImage>> images_;
  std::uint32_t last_pipe_ = 0;
  std::map<std::int64_t, std::unique_ptr<FilledPipe>> pipes_;
  std::list<std::unique_ptr<FilledPipe>> raw_pipes_;
};

}  // namespace

void skopeo_image_proxy(const Invocation& invocation) {
  if (!invocation.flags.arguments().empty()) {
    throw Fatal(cat("accepts 0 arg(s), received ", invocation.flags.arguments().size()), 1,
                Fatal::Help::shown);
  }
  const std::int64_t fd = invocation.flags.integer("sockfd");
  if (fd < 0 || fd > std::numeric_limits<int>::max())
    throw Fatal(cat("--sockfd ", fd, " is no descriptor"));
  Proxy proxy(invocation);
  proxy.serve(UniqueFd(static_cast<int>(fd)));
}

}  // namespace lade::tools::compat
