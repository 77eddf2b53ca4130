/** A mistake in the configuration: which value, what is wrong with it, what would be right. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
}
