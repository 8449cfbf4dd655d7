/// From the names that users type to Readers and Writers: the one place that links the transports.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "libimage/local/local_store.h"
#include "libimage/store/store.h"

#include "tools/common/options.h"

namespace lade::tools {

/// Which registry options of the command line count: --creds, --src-creds or --dest-creds, and so
/// on.
enum class Side { only, source, destination };

/// The session for one side, from the options and the environment.
std::unique_ptr<Session> make_session(const Arguments& arguments, const Environment& environment,
                                      Side side, const std::stop_token& stop,
                                      ProgressObserver* observer);

/// The local store of this command, opened at the first call.
class Stores {
 public:
  explicit Stores(const Environment& environment) : path_(environment.store) {}
  LocalStore& local();

 private:
  std::string path_;
  std::unique_ptr<LocalStore> local_;
};

/// An image to read, found.
struct OpenedImage {
  std::string name;  ///< as the user typed it, safe to print
  std::unique_ptr<Reader> owned;
  Reader* reader = nullptr;  ///< `owned`, or the local store's
  oci::Descriptor root;
};

/// Whether the document of an image will be read: a registry can then be asked for it at once.
enum class Reading { perhaps, surely };

/// Opens `name`: a transport's name, or a bare one for an image of the local store. Absent:
/// Error{not_found}.
OpenedImage open_image(const std::string& name, Session& session, Stores& stores,
                       Reading reading = Reading::perhaps);

/// True if `name` begins with a transport's name and a colon, or is a URL and so meant to; else it
/// names an image of the local store.
bool has_transport(const std::string& name);

/// A place to write to.
struct OpenedDestination {
  std::string name;
  std::unique_ptr<Writer> owned;
  Writer* writer = nullptr;
  std::optional<Tag> tag;        ///< nullopt: the name holds a digest alone
  std::optional<Digest> digest;  ///< which the copy must have
};

/// Opens `name` for writing: a transport's name, or a bare one for the local store.
OpenedDestination open_destination(const std::string& name, Session& session, Stores& stores);

/// The name under which the local store keeps an image called `text`: "localhost/app:latest" for
/// "app", "docker.io/library/debian:12" for "docker.io/debian:12".
std::string local_name(const std::string& text);

/// Finds `text` in the local store, by full name, as "localhost/..." or "docker.io/library/...", or
/// by (the start of at least 4 characters of) its image ID or manifest digest.
std::optional<oci::Descriptor> find_local(LocalStore& store, const std::string& text);

}  // namespace lade::tools
