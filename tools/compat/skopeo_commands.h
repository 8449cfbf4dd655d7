/// What each of skopeo's commands does. All throw Fatal, Error or Cancelled.
#pragma once
#include "tools/compat/skopeo_access.h"

namespace lade::tools::compat {

void skopeo_completion(const Invocation& invocation);
void skopeo_copy(const Invocation& invocation);
void skopeo_delete(const Invocation& invocation);
void skopeo_image_proxy(const Invocation& invocation);
void skopeo_inspect(const Invocation& invocation);
void skopeo_layers(const Invocation& invocation);
void skopeo_list_tags(const Invocation& invocation);
void skopeo_login(const Invocation& invocation);
void skopeo_logout(const Invocation& invocation);
void skopeo_manifest_digest(const Invocation& invocation);
void skopeo_sync(const Invocation& invocation);

}  // namespace lade::tools::compat
