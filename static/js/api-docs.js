// The OpenAPI page: a script of its own, since the policy allows no inline one.
const place = document.getElementById("swagger");
window.SwaggerUIBundle({ url: place.dataset.schema, domNode: place, deepLinking: true });
