/// The interfaces of a content store: what a registry, a layout, an archive and a directory have in
/// common.
///
/// Two virtuals to read and four to write; documents, configs and layers are all nodes of a graph
/// of descriptors. Content read is always verified (size and digest) before anyone sees its end;
/// content written appears whole or not at all.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/base/progress.h"
#include "libimage/io/stream.h"
#include "libimage/name/image_name.h"
#include "libimage/name/reference.h"
#include "libimage/oci/document.h"

namespace lade {

/// Where a Reader's blobs live, for mounting them from there.
struct Origin {
  std::string registry;
  std::string repository;
  bool operator==(const Origin&) const = default;
};

/// Reads one repository (or layout, archive, directory). Thread-safe: several blobs may be open at
/// once.
class Reader {
 public:
  virtual ~Reader() = default;

  /// The manifest or index that `reference` points to; nullopt if there is none of that name. Where
  /// the transport's own name picks the image (dir:, archives with one image), an empty Tag asks
  /// for that one.
  virtual std::optional<oci::Descriptor> resolve(const TagOrDigest& reference) = 0;

  /// The content of `blob` (a layer, config or document), verified: read it to its end. Absent
  /// content throws Error{not_found}. If `blob.data` is set it is served from there. Wrong content
  /// is Error{digest_mismatch, size_mismatch}; or Error{unavailable} if it came from one of several
  /// places and will come from another when it is opened again.
  std::unique_ptr<Source> open(const oci::Descriptor& blob);

  /// The bytes of `blob` from `offset` (at most its size) to its end, unverified: whoever holds the
  /// bytes before it verifies the whole. Absent content throws Error{not_found}.
  std::unique_ptr<Source> open_at(const oci::Descriptor& blob, std::uint64_t offset);

  /// A document of at most kMaxManifestBytes, verified and parsed.
  oci::Document document(const oci::Descriptor& descriptor);

  virtual std::optional<Origin> origin() const { return std::nullopt; }

  /// Descriptors of what names `subject` as its subject; nullopt if the store cannot tell.
  virtual std::optional<std::vector<oci::Descriptor>> referrers(const Digest& subject) {
    (void)subject;
    return std::nullopt;
  }

  /// Names that resolve() would answer: tags of a repository, reference names of a layout. nullopt:
  /// cannot tell.
  virtual std::optional<std::vector<std::string>> tags() { return std::nullopt; }

  /// Bytes of the stored content with that digest, whether or not a document lists it; nullopt: it
  /// is not there, or the store cannot tell.
  virtual std::optional<std::uint64_t> size_of(const Digest& digest) {
    (void)digest;
    return std::nullopt;
  }

  /// Signatures that the store keeps beside the document, each as it stores it (dir: files); not
  /// interpreted. What is attached to a document as artifacts is among its referrers instead.
  virtual std::vector<std::string> signatures(const oci::Descriptor& document) {
    (void)document;
    return {};
  }

  /// What can be opened for `layer`, as a manifest lists it: a store that keeps layers unpacked has
  /// not the bytes listed there, but the same content as a plain tar. By default `layer` itself.
  virtual oci::Descriptor served_as(const oci::Descriptor& layer) { return layer; }

  /// A file that holds exactly the stored bytes of `blob`, for kernel-side copies; nullptr where
  /// there is none. The caller verifies what it copied.
  virtual std::shared_ptr<const UniqueFd> file_of(const oci::Descriptor& blob) {
    (void)blob;
    return nullptr;
  }

 protected:
  /// Raw bytes, unverified.
  virtual std::unique_ptr<Source> do_open(const oci::Descriptor& blob) = 0;

  /// A stream that may come from one of several places.
  struct OpenedBlob {
    std::unique_ptr<Source> source;
    /// Called once if its bytes turn out to be wrong, with the reader perhaps gone. True: the blob
    /// comes from another place from now on, so that it is worth opening again. May be empty.
    std::function<bool()> distrust = {};
  };
  /// What open() reads: do_open() unless there are several places.
  virtual OpenedBlob do_open_somewhere(const oci::Descriptor& blob) {
    return {.source = do_open(blob)};
  }

  /// As do_open(), from `offset` on. By default the bytes before it are read and dropped.
  virtual std::unique_ptr<Source> do_open_at(const oci::Descriptor& blob, std::uint64_t offset);

 private:
  std::string document_text(const oci::Descriptor& descriptor);
};

/// What is known of a blob before it is written.
struct BlobHint {
  /// Digest and size, where known (a plain copy). The writer may then name the blob at once, and
  /// commit() fails with digest_mismatch or size_mismatch if the bytes differ.
  std::optional<oci::Descriptor> expected = {};
  /// True if the bytes come from a verified source (Reader::open of `expected`), so that hashing
  /// again is a waste.
  bool verified_by_source = false;
};

/// One blob in the making. finish() then commit(); destroyed uncommitted it leaves no trace.
class BlobWriter : public Sink {
 public:
  /// How many bytes of the expected blob an earlier, broken attempt left here: the caller writes
  /// what follows them (Reader::open_at). They are verified with the rest at commit(), which fails
  /// with digest_mismatch, and forgets them, if they were wrong.
  [[nodiscard]] virtual std::uint64_t kept() const { return 0; }

  /// Publishes the blob and returns its descriptor: `media_type`, the digest (sha256 unless
  /// expected otherwise) and size of what was written. Calls finish() if the caller did not.
  virtual oci::Descriptor commit(oci::MediaType media_type) = 0;
};

/// Writes one repository. Thread-safe: several blobs may be in the making at once.
class Writer {
 public:
  virtual ~Writer() = default;

  /// True if the store already holds the blob or document, so that it need not be written.
  virtual bool contains(const oci::Descriptor& blob) = 0;

  virtual std::unique_ptr<BlobWriter> start_blob(const BlobHint& hint) = 0;

  /// Stores a manifest or index; what it points to is stored already. `descriptor` has the digest
  /// and size of `raw`.
  virtual void put_manifest(const oci::Descriptor& descriptor, std::string_view raw) = 0;

  /// Names a stored document. An empty Tag means the transport's own name, or none at all.
  virtual void tag(const Tag& tag, const oci::Descriptor& descriptor) = 0;

  /// Makes a stored document that names a subject findable by it, where put_manifest() does not
  /// (registries): layouts list it in index.json without a name. Only where accepts().referrers.
  virtual void list_referrer(const oci::Descriptor& referrer) { (void)referrer; }

  /// True if try_mount() from there has a chance, without asking: for forecasts.
  virtual bool may_mount(const Origin& from) const {
    (void)from;
    return false;
  }

  /// Takes the blob from another repository of the same registry without moving it: from `from`, or
  /// (an Origin without registry says that the source is none) from where it was seen before.
  /// False: write it instead.
  virtual bool try_mount(const oci::Descriptor& blob, const Origin& from) {
    (void)blob;
    (void)from;
    return false;
  }

  /// Stores `blob` by a kernel-side copy of `file` (from Reader::file_of), verified before it is
  /// published; false: not possible here, write it instead.
  virtual bool try_copy_file(const oci::Descriptor& blob, const UniqueFd& file) {
    (void)blob;
    (void)file;
    return false;
  }

  /// Keeps `signatures` beside the stored document, in place of those it had. Only where
  /// accepts().signatures; Error{unsupported} elsewhere.
  virtual void put_signatures(const oci::Descriptor& document,
                              const std::vector<std::string>& signatures);

  /// Takes the name `reference` (a Tag) or the document and its names (a Digest) out of the store.
  /// Error{not_found} if there is none, Error{unsupported} where the store cannot.
  virtual void remove(const TagOrDigest& reference);

  /// Publishes what was written where the store is one file (archives); must be called last.
  virtual void finish() {}

  /// What documents and layers this store can hold.
  struct Accepts {
    bool oci = true;
    bool docker = true;
    bool indexes = true;            ///< several images as one
    bool compressed_layers = true;  ///< false: docker-archive, which holds plain tars
    bool uncompressed_layers =
        true;  ///< true; a copy still compresses for registries and layouts by default
    /// The codec that layers without compression are given by default: "gzip" for registries and
    /// layouts, "" to keep.
    std::string default_layer_codec = {};
    /// True: a document that contains() answers for has all its blobs too (registries), so none
    /// need be asked for.
    bool documents_imply_blobs = false;
    bool keeps_digests = true;  ///< false: manifests are made anew when it is read
    bool names = true;          ///< takes names (tags) beside its own
    bool referrers = true;      ///< keeps documents that are found by their subject only
    bool signatures = false;    ///< takes put_signatures()
    bool artifacts = true;      ///< false: of what an index lists only images and indexes are taken
  };
  virtual Accepts accepts() const { return {}; }
};

/// Credentials for one registry; empty username and tokens: anonymous.
struct Credentials {
  std::string username = {};
  std::string password = {};        ///< printed nowhere; see Secret for long-lived ones
  std::string identity_token = {};  ///< OAuth2 refresh token
  std::string registry_token = {};  ///< sent as it is where the registry wants a bearer token
};

/// One place where a repository's content may be.
struct RegistryEndpoint {
  enum class Serves { all, digests, tags };  ///< which references may be asked for
  std::string registry;                      ///< "host[:port]"
  std::string repository;
  bool insecure = false;  ///< TLS without verification, or plain http
  Serves serves = Serves::all;
  std::string blocked_by = {};  ///< why it must not be asked ("registry X is blocked in FILE")
  bool operator==(const RegistryEndpoint&) const = default;
};

/// Where the configuration sends requests for a repository (containers-registries.conf(5)).
struct RegistryRoute {
  RegistryEndpoint location;                   ///< the repository itself; all writes go there
  std::vector<RegistryEndpoint> mirrors = {};  ///< asked before it, in order, to read an image
  bool operator==(const RegistryRoute&) const = default;
};

/// Where containers-storage: has its images (containers-storage.conf(5)).
struct ContainersStorage {
  std::string driver = {};  ///< "overlay", "vfs"; "": the one that is there
  std::string graph_root = {};
  std::string run_root = {};
  std::vector<std::string> image_stores = {};    ///< additional ones, read only
  std::vector<std::string> driver_options = {};  ///< "overlay.mountopt=nodev"
};

/// What all transports of one command share. Made once by the tool.
struct SessionOptions {
  /// `yes`: TLS or nothing; `no`: TLS without verification, then plain http; `by_config`: as `yes`,
  /// but plain http where a registry on this machine's loopback has no TLS.
  enum class TlsVerify { by_config, yes, no };
  /// Asked for each registry and repository ("host[:port]", "repo/name").
  std::function<std::optional<Credentials>(const std::string& registry,
                                           const std::string& repository)>
      credentials = {};
  /// Used instead for the registry that a name names, but for no other place to which `route` leads
  /// from there.
  std::optional<Credentials> given_credentials = {};
  /// Asked for each repository that is opened, and with an empty repository for a registry itself;
  /// not set: everything is where its name says.
  std::function<RegistryRoute(const Reference&)> route = {};
  /// The full names that the name of a base image may mean, to be asked for in order; not set: a
  /// name without a registry is one of docker.io.
  std::function<std::vector<std::string>(const std::string& name)> expand_name = {};
  /// Proxy for plain http, instead of what libcurl finds in the environment.
  std::string http_proxy = {};
  TlsVerify tls_verify = TlsVerify::by_config;
  std::string cert_dir = {};  ///< *.crt, *.cert, *.key for every registry; instead of:
  std::vector<std::string> certs_directories = {};  ///< searched in order for HOST[:PORT]/
  std::string user_agent = "lade";
  std::string temp_root = "/var/tmp";
  /// oci: layouts read and keep their blobs here instead of in their own blobs/; "": there.
  std::string shared_blob_dir = {};
  /// Archives that exist get further images; false: they are replaced (oci-archive) or refused
  /// (docker-archive).
  bool append_to_archives = false;
  /// Where docker-daemon: reaches the engine: unix:///PATH, tcp:// and https:// (TLS), http://.
  std::string daemon_host = "unix:///var/run/docker.sock";
  /// Where knowledge that outlives the command is kept (where blobs were seen, upload sessions to
  /// continue, what a host cannot do); "": nowhere. Made when it is first written to.
  std::string cache_dir = {};
  /// Asked when a name of containers-storage: is opened; not set: names must say their store.
  std::function<ContainersStorage()> containers_storage = {};
  std::stop_token stop = {};
  ProgressObserver* observer = nullptr;  ///< for warnings; may be null
};

class HttpClient;  // libimage/http/http_client.h

/// Shared state of one command's transports: HTTP client (made at the first network use), options.
class Session {
 public:
  explicit Session(SessionOptions options);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  [[nodiscard]] const SessionOptions& options() const noexcept { return options_; }

  /// State that a transport keeps for the whole command under its own type: made by `make` at the
  /// first call. Thread-safe. T must be the same for the same `key`.
  template <typename T>
  std::shared_ptr<T> shared(const std::string& key,
                            const std::function<std::shared_ptr<T>()>& make) {
    return std::static_pointer_cast<T>(
        shared_untyped(key, [&] { return std::static_pointer_cast<void>(make()); }));
  }

 private:
  std::shared_ptr<void> shared_untyped(const std::string& key,
                                       const std::function<std::shared_ptr<void>()>& make);
  struct State;
  SessionOptions options_;
  std::unique_ptr<State> state_;
};

/// One way to name and reach images. The table of all is libimage/transports/transports.h.
struct Transport {
  std::string_view name;    ///< "oci"
  std::string_view syntax;  ///< "oci:DIR[:REF]", for help
  std::unique_ptr<Reader> (*reader)(const ImageName&, Session&);
  std::unique_ptr<Writer> (*writer)(const ImageName&, Session&);
  /// The tag or digest inside `name`; an empty Tag where the name has none (the transport then
  /// picks the only one, or "latest" for docker).
  TagOrDigest (*reference)(const ImageName&);
};

}  // namespace lade
