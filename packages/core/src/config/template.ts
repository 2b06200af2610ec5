/** What `treeline init` writes: a config that runs as it is, and says what else there is. */
export const CONFIG_TEMPLATE = `{
  // Every value is explained by: treeline config explain <path>
  "level": "info",
  "serviceName": "\${SERVICE_NAME:-app}",
  "streams": [
    { "name": "console", "type": "console" },
    { "name": "file", "type": "file", "path": "./logs/app.log",
      "rotation": { "size": "10M", "interval": "1d" }, "retention": { "maxAge": "14d" } },
    { "name": "db", "type": "sqlite", "path": "./logs/logs.db", "level": "debug" }
  ],
  // Overlays by NODE_ENV; streams by name, null removes.
  "environments": {
    "production": { "streams": { "console": { "format": "json" } } }
  }
}
`;
